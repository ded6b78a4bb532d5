//! `watch-order`: places an order and watches it live until it has ended, and holds the socket open
//! for a while, as a buyer does who leaves the page open.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use contract::Timestamp;
use contract::events::EventType;
use contract::ids::OrderId;
use contract::ws::{MessageType, close_code};
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use super::context::{Context, Open, OpenGauge};
use super::history::{History, Stage};
use super::order_samples::OrderSamples;
use super::params::WatchParams;
use super::place_order::{Buyer, Receipt};
use super::request::Pauses;
use super::samples::Check;
use super::socket_samples::{BROKEN, CLOSED, REFUSED};
use super::update::Update;
use crate::client::frame::{Message, opcode};
use crate::client::instances::Turn;
use crate::client::socket::{OpenError, Socket, SocketError};
use crate::vu::{Iteration, VirtualUser, Work};

/// A watcher that sees nothing wrong notes nothing; one that does need not note it for ever.
const MOST_VIOLATIONS: usize = 8;

pub(crate) struct WatchOrder(Rc<Watcher>);

impl WatchOrder {
    pub(crate) fn new(context: Rc<Context>, params: &WatchParams) -> Self {
        Self(Rc::new(Watcher::new(context, params)))
    }
}

impl Work for WatchOrder {
    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(User(Rc::clone(&self.0)))
    }
}

struct User(Rc<Watcher>);

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.0.run(iteration))
    }
}

struct Watcher {
    buyer: Buyer,
    params: WatchParams,
    open: Rc<OpenGauge>,
    samples: OrderSamples,
    is_opened: Check,
    is_valid: Check,
    is_causal: Check,
    has_ended: Check,
}

/// One order being watched, over all its sockets.
struct Watch<'a> {
    receipt: Receipt,
    order_id: OrderId,
    client: IpAddr,
    /// The instance of the status service that the next socket is opened to.
    turn: Turn<'a>,
    intended_start: Instant,
    history: History,
    /// When the first socket opened.
    opened: Option<Instant>,
    ended: bool,
}

/// An open socket and when it opened. Counts as open for as long as it lives.
struct Session {
    socket: Socket,
    since: Instant,
    _open: Open,
}

/// What a message asks for.
#[derive(Default)]
struct Demands {
    pong: Option<Vec<u8>>,
    json_pong: bool,
    closed: bool,
}

impl Watcher {
    fn new(context: Rc<Context>, params: &WatchParams) -> Self {
        Self {
            open: OpenGauge::sockets(&context),
            samples: OrderSamples::new(&context),
            is_opened: Check::new(&context, "socket opens"),
            is_valid: Check::new(&context, "update is valid"),
            is_causal: Check::new(&context, "updates extend each other in causal order"),
            has_ended: Check::new(&context, "order has ended"),
            buyer: Buyer::new(context, &params.order),
            params: params.clone(),
        }
    }

    async fn run(&self, iteration: Iteration) {
        let client = self.context().shared.lease();
        // Boxed, so that a held socket does not keep room for the request that is long over.
        let receipt = Box::pin(self.buyer.buy(iteration, client)).await;
        let Some(order_id) = receipt.order_id() else { return };
        let mut watch = Watch {
            receipt,
            order_id,
            client,
            turn: self.context().shared.services.status.turn(),
            intended_start: iteration.intended_start,
            history: History::default(),
            opened: None,
            ended: false,
        };
        watch.receipt.socket();
        self.watch(&mut watch).await;
        self.has_ended.that(watch.ended);
        let socket = watch.receipt.socket();
        socket.ended = watch.ended;
        socket.events = std::mem::take(&mut watch.history.seen);
    }

    fn context(&self) -> &Context {
        &self.buyer.context
    }

    /// Opens sockets until one has been held to the end, or patience has.
    async fn watch(&self, watch: &mut Watch<'_>) {
        let deadline = watch.intended_start + self.params.end_within;
        loop {
            let Some(mut session) = Box::pin(self.open(watch)).await else { return };
            let until = *watch.opened.get_or_insert(session.since) + self.params.hold;
            match self.hold(&mut session, watch, until, deadline).await {
                Ok(()) => return self.close(session, watch).await,
                Err(kind) => self.count_error(kind),
            }
            self.end_session(&session);
            watch.turn.pass_on();
            if self.params.order.patience.retry_for.is_zero() {
                return;
            }
        }
    }

    async fn open(&self, watch: &mut Watch<'_>) -> Option<Session> {
        let mut pauses = Pauses::new(self.params.order.patience.retry_for);
        let mut untried = watch.turn.count();
        loop {
            let error = match self.try_open(watch).await {
                Ok(session) => {
                    self.is_opened.that(true);
                    self.context().registry().record(self.samples.availability, true);
                    return Some(session);
                }
                Err(error) => error,
            };
            tracing::debug!(order_id = %watch.order_id, %error, "cannot open a socket");
            watch.turn.pass_on();
            untried -= 1;
            if untried > 0 && error.is_away() {
                self.context().registry().add(self.samples.failovers, 1);
                continue;
            }
            untried = watch.turn.count();
            self.count_error(if matches!(error, OpenError::Failed(_)) { BROKEN } else { REFUSED });
            let refused = matches!(error, OpenError::Refused(status) if !status.is_server_error());
            if refused || !pauses.wait(self.context()).await {
                self.is_opened.that(false);
                self.context().registry().record(self.samples.availability, false);
                return None;
            }
        }
    }

    async fn try_open(&self, watch: &mut Watch<'_>) -> Result<Session, OpenError> {
        let shared = &self.context().shared;
        let path = match watch.history.seen.len() {
            0 => format!("/ws/{}", watch.order_id),
            // Another instance may not have read as far as the one before: it waits until it can show as much.
            seen => format!("/ws/{}?after={seen}", watch.order_id),
        };
        let started = Instant::now();
        let route = self.context().route(watch.turn.target(), watch.client);
        let timeout = self.params.order.patience.timeout;
        let socket = Socket::open(&route, &path, &[], &shared.read_buffer, timeout).await?;
        let since = Instant::now();
        let registry = self.context().registry();
        registry.observe(self.samples.socket.connecting, since - started);
        registry.add(self.samples.socket.sessions, 1);
        if watch.opened.is_some() {
            watch.history.reconnect();
        }
        watch.receipt.socket().opened += 1;
        Ok(Session { socket, since, _open: self.open.enter() })
    }

    /// Reads until the order has ended (or `deadline` is over) and the hold too, or until the socket
    /// does; the kind of error then.
    async fn hold(
        &self,
        session: &mut Session,
        watch: &mut Watch<'_>,
        until: Instant,
        deadline: Instant,
    ) -> Result<(), &'static str> {
        loop {
            let wake = if watch.ended { until } else { until.max(deadline) };
            if let ControlFlow::Break(()) = self.wait(session, watch, wake).await? {
                return Ok(());
            }
        }
    }

    async fn wait(
        &self,
        session: &mut Session,
        watch: &mut Watch<'_>,
        wake: Instant,
    ) -> Result<ControlFlow<()>, &'static str> {
        let stop = &self.context().shared.stop;
        let ended = watch.ended;
        let mut demands = Demands::default();
        tokio::select! {
            biased;
            received = session.socket.receive(|message| self.take(watch, &message, &mut demands)) => {
                received.map_err(|error| match error {
                    SocketError::Ended => CLOSED,
                    SocketError::Io(_) | SocketError::Frame(_) => BROKEN,
                })?;
            }
            () = tokio::time::sleep_until(wake.into()) => return Ok(ControlFlow::Break(())),
            // A test that stops early lets go of what it only holds.
            () = stop.cancelled(), if ended => return Ok(ControlFlow::Break(())),
        }
        self.meet(session, demands).await?;
        Ok(ControlFlow::Continue(()))
    }

    async fn meet(&self, session: &mut Session, demands: Demands) -> Result<(), &'static str> {
        if demands.closed {
            // Answered as the protocol wants it; whether that arrives is no matter any more.
            let code = close_code::NORMAL.to_be_bytes();
            let _ = session.socket.send(opcode::CLOSE, &code).await;
            return Err(CLOSED);
        }
        if let Some(payload) = demands.pong {
            self.send(session, opcode::PONG, &payload).await?;
        }
        if demands.json_pong {
            let now = Timestamp::from(SystemTime::now())
                .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let pong = format!(r#"{{"type":"pong","timestamp":"{now}"}}"#);
            self.send(session, opcode::TEXT, pong.as_bytes()).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        session: &mut Session,
        opcode: u8,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        session.socket.send(opcode, payload).await.map_err(|_| BROKEN)?;
        self.context().registry().add(self.samples.socket.sent, 1);
        Ok(())
    }

    fn take(&self, watch: &mut Watch<'_>, message: &Message<'_>, demands: &mut Demands) {
        match message {
            Message::Text(text) => {
                self.context().registry().add(self.samples.socket.received, 1);
                match serde_json::from_str::<Update<'_>>(text) {
                    Ok(update) => self.take_update(watch, &update, demands),
                    Err(_) => self.violation(watch, "a message is none of the specification's"),
                }
            }
            Message::Binary(_) => self.violation(watch, "a message is binary"),
            Message::Ping(payload) => demands.pong = Some(payload.to_vec()),
            Message::Pong => {}
            Message::Close(_) => demands.closed = true,
        }
    }

    fn take_update(&self, watch: &mut Watch<'_>, update: &Update<'_>, demands: &mut Demands) {
        match (update.message_type, &update.data) {
            (MessageType::Ping, _) => demands.json_pong = true,
            (MessageType::Pong, _) => {}
            (MessageType::OrderUpdate, Some(data)) if let Some(events) = &data.events => {
                let mut id = Uuid::encode_buffer();
                let id = watch.order_id.0.hyphenated().encode_lower(&mut id);
                if !self.is_valid.that(update.order_id.as_deref() == Some(&*id)) {
                    return self.violation(watch, "an update is of another order");
                }
                watch.receipt.socket().frames += 1;
                self.extend(watch, events);
            }
            // The order is not there yet: the status service says so and goes on waiting.
            (MessageType::Error, Some(data)) => {
                tracing::debug!(order_id = %watch.order_id, code = ?data.code, "told of an error");
            }
            _ => self.violation(watch, "a message is none of the specification's"),
        }
    }

    fn extend(&self, watch: &mut Watch<'_>, events: &super::update::Events<'_>) {
        let registry = self.context().registry();
        let intended_start = watch.intended_start;
        let extended = watch.history.extend(events, |event_type, stage| {
            if event_type == EventType::Shipped {
                registry.observe(self.samples.shipped, intended_start.elapsed());
            }
            if let Some(Stage { metric, took }) = stage
                && let Some((_, trend)) = self.samples.stages.iter().find(|(m, _)| *m == metric)
            {
                registry.observe(*trend, took);
            }
        });
        if let Err(violation) = extended {
            return self.violation(watch, violation);
        }
        self.is_causal.that(true);
        if !watch.ended && watch.history.has_ended() {
            watch.ended = true;
            registry.observe(self.samples.ended, intended_start.elapsed());
        }
    }

    fn violation(&self, watch: &mut Watch<'_>, violation: &'static str) {
        self.is_causal.that(false);
        let violations = &mut watch.receipt.socket().violations;
        if violations.len() < MOST_VIOLATIONS {
            violations.push(violation.into());
        }
    }

    async fn close(&self, session: Session, watch: &mut Watch<'_>) {
        self.end_session(&session);
        let mut demands = Demands::default();
        let Session { socket, _open, .. } = session;
        let closed = socket
            .close(close_code::NORMAL, |message| self.take(watch, &message, &mut demands))
            .await;
        if !closed {
            self.count_error(BROKEN);
        }
    }

    fn end_session(&self, session: &Session) {
        let registry = self.context().registry();
        registry.observe(self.samples.socket.session_duration, session.since.elapsed());
    }

    fn count_error(&self, kind: &'static str) {
        self.samples.socket.count_error(kind);
    }
}
