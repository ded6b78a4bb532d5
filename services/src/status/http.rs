//! `GET /status/{id}`, and the handshake of `/ws/{id}`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use contract::http::ErrorResponse;
use contract::ids::OrderId;
use contract::order::Order;
use contract::topics::Step;
use contract::ws::{ErrorData, MAX_ID_LENGTH, Message};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use utoipa::OpenApi;

use super::archive::Archive;
use super::domain::StoredOrder;
use super::socket::{self, Session};
use super::view::{SharedView, View};
use super::{pages, render};
use crate::kit::client_address::TrustedProxies;
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::{AllowedOrigins, ApiError, Limited, Peer, limited, order_id};
use crate::kit::limit::{Client, Held};
use crate::kit::metrics::{SOCKETS_OPEN, SOCKETS_REFUSED};
use crate::kit::record::MAX_EVENT_BYTES;
use crate::kit::shutdown::Shutdown;

/// WebSockets at once, of all clients together.
const MAX_SOCKETS: usize = 50_000;

/// Bytes read at a time: clients send pings, and the library fills its buffer with zeros before each read.
const READ_BUFFER_BYTES: usize = 1024;

/// The largest message from a client.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Bytes that may wait for a slow reader: one frame at a time waits. The largest has an event of each step,
/// as large as they are read; quoting makes two bytes of one, and three of one that is no text.
const MAX_WRITE_BUFFER_BYTES: usize = Step::ALL.len() * 3 * MAX_EVENT_BYTES + 16 * 1024;

/// When a client with too many sockets should come again.
const RETRY_AFTER_SECONDS: u64 = 10;

/// Time that sockets get to say good-bye.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Who may have how many sockets, and how they are kept alive.
#[derive(Debug)]
pub(super) struct SocketSettings {
    /// 0 for no limit.
    pub(super) per_address: u32,
    pub(super) heartbeat: Duration,
    /// How long a frame may take to be written.
    pub(super) send_timeout: Duration,
    pub(super) proxies: TrustedProxies,
    pub(super) origins: AllowedOrigins,
}

/// All sockets of the service.
#[derive(Debug)]
pub(super) struct Sockets {
    settings: SocketSettings,
    held: Mutex<Held>,
    free: Arc<Semaphore>,
    open: TaskTracker,
}

/// The right to one socket; given back when dropped.
#[derive(Debug)]
struct SocketPermit {
    sockets: Arc<Sockets>,
    client: Client,
    _one_of_all: OwnedSemaphorePermit,
}

impl Sockets {
    pub(super) fn new(settings: SocketSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            held: Mutex::default(),
            free: Arc::new(Semaphore::new(MAX_SOCKETS)),
            open: TaskTracker::new(),
        })
    }

    fn acquire(self: &Arc<Self>, client: Client) -> Result<SocketPermit, ApiError> {
        let one_of_all = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            SOCKETS_REFUSED.add_to(&[("reason", "full")], 1);
            let details = "all WebSockets of this service are in use: try again";
            ApiError::unavailable("too many WebSockets", details, RETRY_AFTER_SECONDS)
        })?;
        let limit = match self.settings.per_address {
            0 => u32::MAX,
            limit => limit,
        };
        if !self.held.lock().unwrap_or_else(PoisonError::into_inner).acquire(client, limit) {
            SOCKETS_REFUSED.add_to(&[("reason", "address")], 1);
            let details = format!("{limit} at once from one address are allowed: close one first");
            return Err(ApiError::too_many("too many WebSockets", details, RETRY_AFTER_SECONDS));
        }
        SOCKETS_OPEN.add(1.0);
        Ok(SocketPermit { sockets: Arc::clone(self), client, _one_of_all: one_of_all })
    }

    /// Waits until all sockets are closed.
    pub(super) async fn finish(&self) {
        self.open.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, self.open.wait()).await.is_err() {
            tracing::warn!(left = self.open.len(), "WebSockets did not close in time");
        }
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        SOCKETS_OPEN.add(-1.0);
        self.sockets.held.lock().unwrap_or_else(PoisonError::into_inner).release(self.client);
    }
}

/// What the handlers need.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) view: Arc<SharedView>,
    /// Orders that are not in memory.
    pub(super) archive: Archive,
    pub(super) health: Arc<Health>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) clock: Clock,
    pub(super) shutdown: Shutdown,
}

impl Desk {
    /// What `show` makes of an order, from memory or else from where it has gone.
    pub(super) async fn find<T>(
        &self,
        order_id: OrderId,
        show: impl FnOnce(&StoredOrder) -> T,
    ) -> Result<T, ApiError> {
        if let Some(order) = self.view.lock().known(order_id) {
            return Ok(show(order));
        }
        let mut read = View::default();
        read.recall(self.archive.read(&self.view, order_id).await?);
        read.known(order_id).map(show).ok_or_else(|| {
            let details =
                format!("no order {order_id} is known; a new one shows up within moments");
            ApiError::not_found("order not found", details)
        })
    }

    /// Brings an order into memory that a socket is about to watch.
    async fn bring(&self, order_id: OrderId) -> Result<(), ApiError> {
        if self.view.lock().order(order_id).is_none() {
            let history = self.archive.read(&self.view, order_id).await?;
            if !history.is_empty() {
                self.view.lock().recall(history);
            }
        }
        Ok(())
    }
}

/// What a client that lost its socket says of the one before. Another instance may not have read as far:
/// it shows nothing before it can show as much, so that nobody sees an order go back.
#[derive(Debug, Deserialize)]
struct Seen {
    #[serde(default)]
    after: u8,
}

pub(super) fn routes(desk: Desk, limit: Arc<Limited>) -> Router {
    let limited = from_fn_with_state(limit, limited);
    Router::new()
        .route("/status/{id}", get(read_status).layer(limited.clone()))
        .route("/status/{id}/events", get(pages::read_events).layer(limited))
        .route("/ws/{id}", get(open_socket))
        .with_state(desk)
}

/// This service's part of `/openapi.json`.
#[derive(OpenApi)]
#[openapi(
    paths(read_status, pages::read_events, open_socket),
    components(schemas(Message<Order>, Message<ErrorData>, ErrorData)),
)]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/status/{orderId}",
    tag = "Status",
    summary = "Get order status",
    description = "Retrieve detailed order status with event history",
    params(("orderId" = Uuid, Path, description = "Unique order identifier",
            example = "3fa85f64-5717-4562-b3fc-2c963f66afa6")),
    responses(
        (status = 200, description = "Order status retrieved", body = Order),
        (status = 400, description = "Not an order id", body = ErrorResponse),
        (status = 404, description = "Order not found", body = ErrorResponse),
        (status = 429, description = "Too many queries from one client address", body = ErrorResponse),
        (status = 503, description = "The service is starting or stopping, or does not reach its database", body = ErrorResponse),
    ),
    extensions(("x-rate-limit" = json!("60 requests/minute per IP"))),
)]
async fn read_status(
    State(desk): State<Desk>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    desk.health.check_started()?;
    let order_id = order_id(&id)?;
    let body = desk.find(order_id, |order| render::status(order_id, order)).await?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], body).into_response())
}

#[utoipa::path(
    get,
    path = "/ws/{orderId}",
    tag = "Status",
    summary = "Watch an order live (WebSocket)",
    description = "A WebSocket handshake (RFC 6455). Each text message from the server is JSON: an `order_update` \
                   (schema `Message_Order`) carries the whole order with all its events, an `error` (schema \
                   `Message_ErrorData`) a code, a `pong` answers a `ping`. A slow reader gets the newest state in \
                   place of each one before it. The client may send `{\"type\":\"ping\"}` of at most 4 KiB. The \
                   server pings every 30 s and closes with 1008 after two pings without an answer, 1013 when the \
                   client reads too slowly, 1009 after a \
                   message too large, 1001 when it stops. An order without an event for 5 s is told \
                   `order_not_found`, and the socket goes on waiting.",
    params(
        ("orderId" = String, Path, min_length = 1, max_length = 64,
         description = "Unique order identifier; any other text of printable characters waits for ever"),
        ("after" = Option<u8>, Query,
         description = "Events that the client was shown before it lost its socket: nothing is sent before as many \
                        are known here, which another instance may have read sooner"),
        ("Origin" = Option<String>, Header,
         description = "Sent by browsers: has to be on the list of allowed origins"),
    ),
    responses(
        (status = 101, description = "The connection speaks WebSocket from now on"),
        (status = 400, description = "Not an id, or `after` is no number of events", body = ErrorResponse),
        (status = 403, description = "Pages of this origin may not open WebSockets here", body = ErrorResponse),
        (status = 426, description = "Not a WebSocket handshake", body = ErrorResponse),
        (status = 429, description = "Five WebSockets at once from one client address are open", body = ErrorResponse),
        (status = 503, description = "The service is starting or stopping, does not reach its database, or all its WebSockets are in use",
         body = ErrorResponse),
    ),
)]
async fn open_socket(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Extension(Peer(peer)): Extension<Peer>,
    seen: Result<Query<Seen>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    desk.health.check_ready()?;
    check_id(&id)?;
    let Query(Seen { after }) = seen.map_err(|_| {
        ApiError::invalid(
            "not a number of events",
            "?after= is how many events were shown before: 0 to 255",
        )
    })?;
    let settings = &desk.sockets.settings;
    if !settings.origins.admits(&headers) {
        SOCKETS_REFUSED.add_to(&[("reason", "origin")], 1);
        let details = "pages of this origin may not open WebSockets here";
        return Err(ApiError::forbidden("origin not allowed", details));
    }
    let upgrade = upgrade.map_err(|_| ApiError::upgrade_required())?;
    let client = settings.proxies.client_address(peer.ip(), &headers);
    let permit = desk.sockets.acquire(client.into())?;
    if let Ok(order_id) = id.parse() {
        desk.bring(order_id).await?;
    }
    let open = desk.sockets.open.token();
    let session = Session {
        heartbeat: settings.heartbeat,
        send_timeout: settings.send_timeout,
        id: id.into_boxed_str(),
        after,
        view: desk.view,
        clock: desk.clock,
        shutdown: desk.shutdown,
    };
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(async move |socket| {
        socket::run(socket, session).await;
        drop((permit, open));
    }))
}

fn check_id(id: &str) -> Result<(), ApiError> {
    if id.chars().count() <= MAX_ID_LENGTH && !id.chars().any(char::is_control) {
        return Ok(());
    }
    let details = format!("send an order id: at most {MAX_ID_LENGTH} printable characters");
    Err(ApiError::invalid("not an id", details))
}
