//! One WebSocket after its handshake: one task, one timer, one flag for news.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use contract::ids::OrderId;
use contract::ws::{MessageType, NOT_FOUND_AFTER_MS, ORDER_NOT_FOUND, close_code};
use serde::Deserialize;
use tokio::time::sleep;

use super::render;
use super::view::{News, SharedView, Subscriber};
use crate::kit::clock::Clock;
use crate::kit::metrics::{SOCKET_FRAMES, SOCKETS_CLOSED, SOCKETS_OPENED};
use crate::kit::shutdown::Shutdown;
use crate::kit::trace::{Kind, Span};

/// How long the other end may take to answer a close frame, and one that has to read its way to it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const SLOW_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Pings without an answer before the socket is closed.
const MAX_UNANSWERED: u8 = 2;

const NOT_FOUND_AFTER: Duration = Duration::from_millis(NOT_FOUND_AFTER_MS);

/// `code` of the `error` for a message that is none of ours.
const INVALID_MESSAGE: &str = "invalid_message";

/// What a socket needs.
pub(super) struct Session {
    /// Time between pings.
    pub(super) heartbeat: Duration,
    /// How long a frame may take to be written: a reader that stands still for longer is closed.
    pub(super) send_timeout: Duration,
    /// What stands in the socket's path.
    pub(super) id: Box<str>,
    /// Events that its other end has been shown by a socket before this one.
    pub(super) after: u8,
    pub(super) view: Arc<SharedView>,
    pub(super) clock: Clock,
    pub(super) shutdown: Shutdown,
}

/// How a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client said good-bye.
    Client,
    /// The connection is gone.
    Lost,
    Stopping,
    Unanswered,
    Slow,
    TooLarge,
    NotText,
    Protocol,
}

impl End {
    /// As metrics name it, and the code and reason with which we say good-bye.
    const fn told(self) -> (&'static str, Option<(u16, &'static str)>) {
        match self {
            Self::Client => ("client", None),
            Self::Lost => ("lost", None),
            Self::Stopping => {
                ("stopping", Some((close_code::GOING_AWAY, "the service is stopping")))
            }
            Self::Unanswered => {
                ("unanswered", Some((close_code::POLICY, "no answer to two pings")))
            }
            Self::Slow => {
                let reason = "reading too slowly: connect again for the newest state";
                ("slow", Some((close_code::TRY_AGAIN_LATER, reason)))
            }
            Self::TooLarge => ("too_large", Some((close_code::TOO_LARGE, "message too large"))),
            Self::NotText => ("not_text", Some((close_code::PROTOCOL_ERROR, "text is not UTF-8"))),
            Self::Protocol => ("protocol", Some((close_code::PROTOCOL_ERROR, "protocol error"))),
        }
    }

    /// How long the good-bye may take.
    const fn grace(self) -> Duration {
        match self {
            // Half a frame is before it in the pipe.
            Self::Slow => SLOW_CLOSE_TIMEOUT,
            _ => CLOSE_TIMEOUT,
        }
    }
}

/// Serves a socket until it ends.
pub(super) async fn run(mut socket: WebSocket, session: Session) {
    SOCKETS_OPENED.add_to(&[], 1);
    let watch = |order_id| Watch::new(&session.view, order_id, session.after);
    let watch = session.id.parse().ok().map(watch);
    let mut conversation = Conversation { session, watch, shown: false, unanswered: 0 };
    let Err(end) = conversation.serve(&mut socket).await;
    // What follows is nobody's news any more.
    drop(conversation);
    let (label, farewell) = end.told();
    SOCKETS_CLOSED.add_to(&[("reason", label)], 1);
    if let Some((code, reason)) = farewell {
        close(socket, code, reason, end.grace()).await;
    }
}

/// A socket's place in the view; given up when dropped.
struct Watch {
    view: Arc<SharedView>,
    order_id: OrderId,
    subscriber: Arc<Subscriber>,
}

impl Watch {
    fn new(view: &Arc<SharedView>, order_id: OrderId, after: u8) -> Self {
        let subscriber = view.lock().subscribe(order_id, after);
        Self { view: Arc::clone(view), order_id, subscriber }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.view.lock().unsubscribe(self.order_id, &self.subscriber);
    }
}

struct Conversation {
    session: Session,
    /// `None` for an id that no order can have.
    watch: Option<Watch>,
    /// Whether the order has been shown.
    shown: bool,
    unanswered: u8,
}

impl Conversation {
    /// Ends only with an [`End`].
    async fn serve(&mut self, socket: &mut WebSocket) -> Result<Infallible, End> {
        let heartbeat = self.session.heartbeat;
        self.show_news(socket).await?;
        let mut waiting = !self.shown;
        let mut timer = pin!(sleep(if waiting { NOT_FOUND_AFTER } else { heartbeat }));
        loop {
            tokio::select! {
                biased;
                () = self.session.shutdown.cancelled() => {
                    return Err(End::Stopping);
                }
                () = news(self.watch.as_ref()) => self.show_news(socket).await?,
                message = socket.recv() => {
                    let Some(message) = message else { return Err(End::Lost) };
                    self.hear(socket, message).await?;
                }
                () = timer.as_mut() => {
                    timer.set(sleep(heartbeat));
                    if std::mem::take(&mut waiting) {
                        self.tell_not_found(socket).await?;
                    } else {
                        self.beat(socket).await?;
                    }
                }
            }
        }
    }

    async fn show_news(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let now = self.session.clock.now();
        let news = watch.view.lock().take(watch.order_id, &watch.subscriber, now);
        if let Some(News { frame, trace }) = news {
            self.shown = true;
            let mut span = Span::under(trace, Kind::Producer, now);
            span.attribute("order.id", watch.order_id);
            let sent = self.send(socket, "order_update", Message::Text(frame)).await;
            span.end("order_update send", self.session.clock.now(), sent.is_err());
            sent?;
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        message: Result<Message, axum::Error>,
    ) -> Result<(), End> {
        // Whatever arrives shows that the other end lives.
        self.unanswered = 0;
        match message.map_err(|error| end_of(&error))? {
            Message::Text(text) => self.answer(socket, text.as_str()).await,
            Message::Binary(_) => self.refuse(socket).await,
            // The library answers protocol pings and close frames by itself, the next time it reads.
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => {
                drain(socket).await;
                Err(End::Client)
            }
        }
    }

    async fn answer(&self, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        #[derive(Deserialize)]
        struct Peek {
            #[serde(rename = "type")]
            message_type: MessageType,
        }
        match serde_json::from_str(text) {
            Ok(Peek { message_type: MessageType::Ping }) => {
                let pong = render::pong(&self.session.id, self.session.clock.now());
                self.send(socket, "pong", Message::Text(pong.into())).await
            }
            Ok(Peek { message_type: MessageType::Pong }) => Ok(()),
            _ => self.refuse(socket).await,
        }
    }

    async fn refuse(&self, socket: &mut WebSocket) -> Result<(), End> {
        let message = r#"clients send {"type": "ping"}, and nothing else"#;
        self.send_error(socket, INVALID_MESSAGE, message).await
    }

    async fn tell_not_found(&self, socket: &mut WebSocket) -> Result<(), End> {
        if self.shown {
            return Ok(());
        }
        let message = "no event of this order yet: updates follow when there is one";
        self.send_error(socket, ORDER_NOT_FOUND, message).await
    }

    async fn send_error(
        &self,
        socket: &mut WebSocket,
        code: &str,
        message: &str,
    ) -> Result<(), End> {
        let error = render::error(&self.session.id, code, message, self.session.clock.now());
        self.send(socket, "error", Message::Text(error.into())).await
    }

    async fn beat(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        if self.unanswered == MAX_UNANSWERED {
            return Err(End::Unanswered);
        }
        self.unanswered += 1;
        self.send(socket, "ping", Message::Ping(bytes::Bytes::new())).await
    }

    async fn send(
        &self,
        socket: &mut WebSocket,
        kind: &'static str,
        message: Message,
    ) -> Result<(), End> {
        tokio::select! {
            biased;
            sent = socket.send(message) => sent.map_err(|_| End::Lost)?,
            () = self.session.shutdown.cancelled() => return Err(End::Stopping),
            () = sleep(self.session.send_timeout) => return Err(End::Slow),
        }
        SOCKET_FRAMES.add_to(&[("kind", kind)], 1);
        Ok(())
    }
}

/// News of the watched order, which an id that no order can have never gets.
async fn news(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.subscriber.news().await,
        None => std::future::pending().await,
    }
}

/// What a failure to read means: the other end broke the protocol's rules or ours, or is gone.
fn end_of(error: &axum::Error) -> End {
    use tungstenite::Error;

    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::Capacity(_)) => End::TooLarge,
        Some(Error::Utf8(_)) => End::NotText,
        Some(Error::Protocol(_)) => End::Protocol,
        _ => End::Lost,
    }
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str, grace: Duration) {
    let frame = CloseFrame { code, reason: reason.into() };
    let good_bye = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            drain(&mut socket).await;
        }
    };
    // Who does not answer in time is cut off.
    let _ = tokio::time::timeout(grace, good_bye).await;
}

/// Reads until the closing handshake is done, for a while at most.
async fn drain(socket: &mut WebSocket) {
    let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, rest).await;
}
