//! Looks after parked payments: asks the gateway from time to time, settles what it answers definitely,
//! and does what somebody says by hand.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::management::{GatewayAnswer, ParkedPayment, Resolution};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::charge::{Outcome, Settled};
use super::domain::{Due, payment};
use super::gateway::Gateway;
use super::parked::{Parked, ParkedSettings, Tried, Unresolvable, answer};
use crate::kit::clock::Clock;
use crate::kit::metrics::{PAYMENTS_PARKED, PAYMENTS_RESOLVED, PAYMENTS_UNKNOWN};
use crate::kit::publisher::Publisher;
use crate::kit::record::Outgoing;

/// Questions about parked payments at once: few, since a gateway that comes back has others to serve.
const QUESTIONS: usize = 16;

/// How often it is looked for payments to ask about.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A place among the parked payments; one that was found in the log has it anyway.
type Place = Option<OwnedSemaphorePermit>;

/// The parked payments, shared by the worker, the management routes and their own task.
pub(crate) struct Desk {
    parked: Mutex<Parked<Place>>,
    room: Arc<Semaphore>,
    gateway: Gateway,
    clock: Clock,
    publisher: OnceLock<Publisher>,
}

/// Who resolved a payment: a label.
const BY_GATEWAY: &str = "gateway";
const BY_HAND: &str = "hand";

/// Why a payment was not resolved by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotParked,
    Settling,
    /// The gateway definitely says otherwise.
    Contradicted(GatewayAnswer),
}

impl From<Unresolvable> for Refusal {
    fn from(unresolvable: Unresolvable) -> Self {
        match unresolvable {
            Unresolvable::NotParked => Self::NotParked,
            Unresolvable::Settling => Self::Settling,
        }
    }
}

impl Desk {
    pub(crate) fn new(
        settings: ParkedSettings,
        room: usize,
        gateway: Gateway,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            parked: Mutex::new(Parked::new(settings)),
            room: Arc::new(Semaphore::new(room)),
            gateway,
            clock,
            publisher: OnceLock::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Parked<Place>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Settled payments go into the log through `publisher`.
    pub(crate) fn attach(&self, publisher: &Publisher) {
        // Set once, by the one worker of the process.
        let _again = self.publisher.set(publisher.clone());
    }

    /// Takes in a payment that has become unknown; waits while there is no room for it, so that nothing
    /// more is charged at a gateway that does not answer.
    pub(crate) async fn park(&self, due: Due, tried: Tried) {
        // Never closed.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        warn!(order = %due.order_id, last = ?tried.last, "whether the order was charged is unknown");
        PAYMENTS_UNKNOWN.add_to(&[], 1);
        self.take_in(due, tried, place);
    }

    /// Takes in a payment that the log leaves open.
    pub(crate) fn restore(&self, due: Due) {
        let place = Arc::clone(&self.room).try_acquire_owned().ok();
        info!(order = %due.order_id, "whether the order was charged is still unknown");
        self.take_in(due, Tried::NEVER, place);
    }

    fn take_in(&self, due: Due, tried: Tried, place: Place) {
        let now = self.clock.monotonic();
        let mut parked = self.lock();
        parked.park(due, tried, now, place);
        gauge(&parked);
    }

    /// The log says how a payment ended. Whether it contradicts what was settled here.
    pub(crate) fn fold(&self, order: OrderId, event_type: EventType) -> bool {
        let mut parked = self.lock();
        let contradicts = parked.fold(order, event_type);
        gauge(&parked);
        contradicts
    }

    pub(crate) fn clear(&self) {
        let mut parked = self.lock();
        parked.clear();
        gauge(&parked);
    }

    /// How many there are, and up to `limit` of them with ids above `after`.
    pub(crate) fn page(&self, after: Option<OrderId>, limit: usize) -> (usize, Vec<ParkedPayment>) {
        let parked = self.lock();
        (parked.len(), parked.page(after, limit))
    }

    /// Asks about parked payments for as long as the process lives.
    pub(crate) async fn attend(self: Arc<Self>) {
        let mut questions = JoinSet::new();
        loop {
            while questions.len() < QUESTIONS
                && let Some(order) = self.next_due()
            {
                questions.spawn(Arc::clone(&self).look_after(order));
            }
            tokio::select! {
                biased;
                Some(_) = questions.join_next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn next_due(&self) -> Option<OrderId> {
        self.lock().next_due(self.clock.monotonic())
    }

    async fn look_after(self: Arc<Self>, order: OrderId) {
        let _answer = self.ask(order, BY_GATEWAY).await;
    }

    /// Asks the gateway, and settles the payment when the answer is definite.
    async fn ask(
        self: &Arc<Self>,
        order: OrderId,
        by: &'static str,
    ) -> (GatewayAnswer, Option<EventType>) {
        let (outcome, asked_at) = self.question(order).await;
        let last = answer(&outcome);
        let now = self.clock.monotonic();
        let settled = self.lock().answered(order, outcome, asked_at, now);
        let event_type = match settled {
            Some((due, settled)) => self.settle(due, settled, by).await,
            None => None,
        };
        (last, event_type)
    }

    async fn question(&self, order: OrderId) -> (Outcome, Duration) {
        let trace = self.lock().trace(order);
        let asked_at = self.clock.monotonic();
        (self.gateway.query(order, trace).await, asked_at)
    }

    /// Resolves a payment by hand. The gateway's answer, and the event's type when it is settled now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        order: OrderId,
        resolution: Resolution,
        reason: &str,
    ) -> Result<(GatewayAnswer, Option<EventType>), Refusal> {
        self.lock().look_into(order)?;
        let said = match resolution {
            Resolution::Query => return Ok(self.ask(order, BY_HAND).await),
            Resolution::Captured => Settled::Paid,
            Resolution::NotCharged => Settled::NotPaid(reason.to_owned()),
        };
        let (outcome, asked_at) = self.question(order).await;
        let last = answer(&outcome);
        let due = {
            let mut parked = self.lock();
            let word = parked.word(order, outcome, asked_at);
            if word.is_some_and(|word| (word == Settled::Paid) != (said == Settled::Paid)) {
                return Err(Refusal::Contradicted(last));
            }
            parked.resolve(order)?
        };
        warn!(%order, ?resolution, reason, gateway = ?last, "a payment is resolved by hand");
        Ok((last, self.settle(due, said, BY_HAND).await))
    }

    /// Publishes how a payment ended, however long the log is away and whoever gives up waiting.
    async fn settle(
        self: &Arc<Self>,
        due: Due,
        settled: Settled,
        by: &'static str,
    ) -> Option<EventType> {
        let desk = Arc::clone(self);
        let published = tokio::spawn(async move {
            let now = desk.clock.now();
            let event = payment(&due, settled, now);
            let outgoing = Outgoing::new(&event, now).traced(due.trace);
            let acknowledged = match desk.publisher.get() {
                Some(publisher) => publisher.publish(outgoing).await.is_ok(),
                None => false,
            };
            desk.published(&event, acknowledged, by)
        });
        published.await.unwrap_or_default()
    }

    fn published(&self, event: &Event, acknowledged: bool, by: &'static str) -> Option<EventType> {
        let (order, event_type) = (event.order_id(), event.event_type());
        let mut parked = self.lock();
        if acknowledged {
            parked.published(order, event_type);
            PAYMENTS_RESOLVED.add_to(&[("by", by), ("event", event_type.name())], 1);
        } else {
            error!(%order, "the log refused how a payment ended: it stays parked");
            parked.wait(order, self.clock.monotonic());
        }
        gauge(&parked);
        acknowledged.then_some(event_type)
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounded far below 2^52")]
fn gauge(parked: &Parked<Place>) {
    PAYMENTS_PARKED.set(parked.len() as f64);
}
