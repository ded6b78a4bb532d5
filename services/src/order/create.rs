//! One order from its request to the log.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use contract::events::{Event, EventType, OrderCreated};
use contract::http::CreateOrderRequest;
use contract::ids::OrderId;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::domain::{Decision, Orders};
use crate::kit::clock::Clock;
use crate::kit::publisher::{PublishError, Publisher};
use crate::kit::record::Outgoing;
use crate::kit::rng;
use crate::kit::trace::{Kind, Span, TraceContext};

/// What became of a publication; `None` while it is on its way.
type Outcome = Option<Result<(), PublishError>>;

/// A handle on an order on its way, by which everybody who asked for it waits.
type OnItsWay = watch::Receiver<Outcome>;

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CreateError {
    /// The idempotency key was used for another order.
    Contradiction,
    Publish(PublishError),
}

/// Where orders are taken: what is known of them, and the way to the log.
pub(super) struct Desk {
    orders: Mutex<Orders<OnItsWay>>,
    /// The way to the log, once there is one.
    publisher: OnceLock<Publisher>,
    clock: Clock,
    rng: Mutex<StdRng>,
    on_their_way: TaskTracker,
}

impl Desk {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            orders: Mutex::default(),
            publisher: OnceLock::new(),
            clock,
            rng: Mutex::new(rng::from_entropy()),
            on_their_way: TaskTracker::new(),
        })
    }

    /// The log has been reached.
    pub(super) fn open(&self, publisher: Publisher) {
        self.publisher.get_or_init(|| publisher);
    }

    pub(super) fn orders(&self) -> MutexGuard<'_, Orders<OnItsWay>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order: returns its id when it stands in the log.
    ///
    /// # Errors
    /// [`CreateError`]. After a publication that failed the order may be in the log or not; the same key
    /// finds out.
    pub(super) async fn create(
        self: &Arc<Self>,
        key: Option<&str>,
        order: CreateOrderRequest,
        trace: Option<TraceContext>,
    ) -> Result<OrderId, CreateError> {
        let Some(key) = key else {
            let order_id = self.random_id();
            self.publish(order_id, order, None, trace).await.map_err(CreateError::Publish)?;
            return Ok(order_id);
        };
        let order_id = OrderId::for_idempotency_key(key);
        let mut sender = None;
        let decision = self.orders().request(order_id, &order, || {
            let (outcome, on_its_way) = watch::channel(None);
            sender = Some(outcome);
            on_its_way
        });
        let mut on_its_way = match decision {
            Decision::Repeat => return Ok(order_id),
            Decision::Contradiction => return Err(CreateError::Contradiction),
            Decision::Join(on_its_way) | Decision::Publish(on_its_way) => on_its_way,
        };
        if let Some(outcome) = sender {
            self.publish_apart(order_id, order, key.to_owned(), trace, outcome);
        }
        let outcome = on_its_way.wait_for(Option::is_some).await;
        match outcome.ok().and_then(|outcome| outcome.clone()) {
            Some(Ok(())) => Ok(order_id),
            Some(Err(error)) => Err(CreateError::Publish(error)),
            None => Err(CreateError::Publish(PublishError::Closed)),
        }
    }

    /// In a task of its own: a client that hangs up must not take with it what others wait for, nor the
    /// knowledge of what became of the order.
    fn publish_apart(
        self: &Arc<Self>,
        order_id: OrderId,
        order: CreateOrderRequest,
        key: String,
        trace: Option<TraceContext>,
        outcome: watch::Sender<Outcome>,
    ) {
        let desk = Arc::clone(self);
        self.on_their_way.spawn(async move {
            let published = desk.publish(order_id, order, Some(key), trace).await;
            desk.orders().settle(order_id, published.is_ok());
            outcome.send_replace(Some(published));
        });
    }

    async fn publish(
        &self,
        order_id: OrderId,
        order: CreateOrderRequest,
        request_id: Option<String>,
        trace: Option<TraceContext>,
    ) -> Result<(), PublishError> {
        let event = Event::Order(OrderCreated {
            order_id,
            product_id: order.product_id,
            quantity: order.quantity,
            event_type: EventType::OrderCreated,
            request_id,
        });
        let publisher = self.publisher.get().ok_or(PublishError::Closed)?;
        let now = self.clock.now();
        let mut span = Span::under(trace, Kind::Producer, now);
        span.attribute("order.id", order_id);
        let trace = span.context();
        info!(order = %order_id, trace = trace.map(display), "taken");
        let outgoing = Outgoing::new(&event, now).traced(trace);
        let published = publisher.publish(outgoing).await.map(drop);
        span.end("orders publish", self.clock.now(), published.is_err());
        published
    }

    fn random_id(&self) -> OrderId {
        let mut bytes = [0; 16];
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        OrderId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Waits until every publication on its way has ended; each ends within its time-out.
    pub(super) async fn finish(&self) {
        self.on_their_way.close();
        self.on_their_way.wait().await;
    }
}
