//! One order from its request to the log, or to the queue that follows into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::events::{Event, EventType, OrderCreated};
use contract::http::CreateOrderRequest;
use contract::ids::OrderId;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::dispatch::{Dispatch, DispatchError};
use super::domain::{Decision, Orders};
use super::queue::QueueError;
use crate::kit::clock::Clock;
use crate::kit::record::Outgoing;
use crate::kit::rng;
use crate::kit::trace::{Kind, Span, TraceContext};

/// What became of a dispatch; `None` while it is on its way.
type Outcome = Option<Result<(), DispatchError>>;

/// A handle on an order on its way, by which everybody who asked for it waits.
pub(super) type OnItsWay = watch::Receiver<Outcome>;

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CreateError {
    /// The idempotency key was used for another order.
    Contradiction,
    Dispatch(DispatchError),
}

/// Where orders are taken: what is known of them, and the ways to the log.
pub(super) struct Desk {
    orders: Mutex<Orders<OnItsWay>>,
    dispatch: Arc<Dispatch>,
    clock: Clock,
    rng: Mutex<StdRng>,
    on_their_way: TaskTracker,
}

impl Desk {
    /// `orders` holds those that wait in the queue from before.
    pub(super) fn new(
        orders: Orders<OnItsWay>,
        dispatch: Arc<Dispatch>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            orders: Mutex::new(orders),
            dispatch,
            clock,
            rng: Mutex::new(rng::from_entropy()),
            on_their_way: TaskTracker::new(),
        })
    }

    pub(super) fn orders(&self) -> MutexGuard<'_, Orders<OnItsWay>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order: returns its id when it stands in the log, or in the queue.
    ///
    /// # Errors
    /// [`CreateError`]. After a dispatch that failed the order may be in the log or not; the same key
    /// finds out.
    pub(super) async fn create(
        self: &Arc<Self>,
        key: Option<&str>,
        order: CreateOrderRequest,
        trace: Option<TraceContext>,
    ) -> Result<OrderId, CreateError> {
        let Some(key) = key else {
            let order_id = self.random_id();
            self.dispatch(order_id, order, None, trace).await.map_err(CreateError::Dispatch)?;
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
            self.dispatch_apart(order_id, order, key.to_owned(), trace, outcome);
        }
        let outcome = on_its_way.wait_for(Option::is_some).await;
        match outcome.ok().and_then(|outcome| outcome.clone()) {
            Some(Ok(())) => Ok(order_id),
            Some(Err(error)) => Err(CreateError::Dispatch(error)),
            // Its task has ended without a word, which only the end of the process can do.
            None => Err(CreateError::Dispatch(DispatchError::Queue(QueueError::Full))),
        }
    }

    /// In a task of its own: a client that hangs up must not take with it what others wait for, nor the
    /// knowledge of what became of the order.
    fn dispatch_apart(
        self: &Arc<Self>,
        order_id: OrderId,
        order: CreateOrderRequest,
        key: String,
        trace: Option<TraceContext>,
        outcome: watch::Sender<Outcome>,
    ) {
        let desk = Arc::clone(self);
        self.on_their_way.spawn(async move {
            let dispatched = desk.dispatch(order_id, order, Some(key), trace).await;
            desk.orders().settle(order_id, dispatched.is_ok());
            outcome.send_replace(Some(dispatched));
        });
    }

    async fn dispatch(
        &self,
        order_id: OrderId,
        order: CreateOrderRequest,
        request_id: Option<String>,
        trace: Option<TraceContext>,
    ) -> Result<(), DispatchError> {
        let event = Event::Order(OrderCreated {
            order_id,
            product_id: order.product_id,
            quantity: order.quantity,
            event_type: EventType::OrderCreated,
            request_id,
        });
        let now = self.clock.now();
        let mut span = Span::under(trace, Kind::Producer, now);
        span.attribute("order.id", order_id);
        let trace = span.context();
        info!(order = %order_id, trace = trace.map(display), "taken");
        let outgoing = Outgoing::new(&event, now).traced(trace);
        let dispatched = self.dispatch.send(outgoing).await;
        span.end("orders publish", self.clock.now(), dispatched.is_err());
        dispatched
    }

    fn random_id(&self) -> OrderId {
        let mut bytes = [0; 16];
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        OrderId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Waits until every order on its way has arrived somewhere; each does within its time-out.
    pub(super) async fn finish(&self) {
        self.on_their_way.close();
        self.on_their_way.wait().await;
    }
}
