//! A shop in one process, with the contract's bodies and the misbehaviour that a test asks for.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use contract::events::EventType;
use contract::http::{CreateOrderRequest, CreateOrderResponse};
use contract::ids::OrderId;
use loadgen::flow::Targets;
use serde_json::{Value, json};

/// How the shop behaves.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Answers to the first orders; after them 201.
    pub(crate) order_statuses: Vec<u16>,
    /// Before any order is answered.
    pub(crate) order_delay: Duration,
    /// All orders that come before this time after the first are answered only then.
    pub(crate) freeze: Duration,
    /// Answers to the first status reads; after them 200.
    pub(crate) statuses: Vec<u16>,
    /// For each socket the updates that it is sent; the last script serves all further sockets.
    pub(crate) sockets: Vec<SocketScript>,
}

#[derive(Clone, Default)]
pub(crate) struct SocketScript {
    pub(crate) updates: Vec<Vec<EventType>>,
    /// The server ends the connection after the updates.
    pub(crate) breaks: bool,
}

/// What the shop saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) clients: HashSet<IpAddr>,
    pub(crate) orders_by_key: HashMap<String, u32>,
    pub(crate) order_requests: usize,
    pub(crate) status_requests: usize,
    pub(crate) sockets: usize,
    /// What each socket's client said that it had seen.
    pub(crate) afters: Vec<Option<usize>>,
    pub(crate) close_codes: Vec<u16>,
    pub(crate) pongs: usize,
    pub(crate) json_pongs: usize,
    frozen_until: Option<tokio::time::Instant>,
}

pub(crate) struct Shop {
    pub(crate) targets: Targets,
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// Ends the server when it goes.
    _runtime: tokio::runtime::Runtime,
}

type Shared = State<(Arc<Mutex<Seen>>, Arc<Script>)>;

impl Shop {
    pub(crate) fn open(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let app = axum::Router::new()
            .route("/order", post(order))
            .route("/status/{id}", get(status))
            .route("/inventory/{id}", get(inventory))
            .route("/ws/{id}", get(socket))
            .with_state((Arc::clone(&seen), Arc::new(script)))
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { targets: targets(&url, "127.0.0.1:1"), seen, _runtime: runtime }
    }
}

pub(crate) fn targets(url: &str, kafka: &str) -> Targets {
    let url = || vec![url.to_owned()];
    Targets { order: url(), status: url(), inventory: url(), kafka: kafka.to_owned() }
}

async fn order(
    State((seen, script)): Shared,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(order): Json<CreateOrderRequest>,
) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let (number, frozen_until) = {
        let seen = &mut *seen.lock().unwrap();
        seen.clients.insert(client.ip());
        *seen.orders_by_key.entry(key.clone()).or_default() += 1;
        seen.order_requests += 1;
        let thaw = || tokio::time::Instant::now() + script.freeze;
        (seen.order_requests - 1, *seen.frozen_until.get_or_insert_with(thaw))
    };
    tokio::time::sleep_until(frozen_until).await;
    tokio::time::sleep(script.order_delay).await;
    if let Some(status) = script.order_statuses.get(number) {
        return StatusCode::from_u16(*status).unwrap().into_response();
    }
    let CreateOrderRequest { product_id, quantity } = order;
    let order_id = OrderId::for_idempotency_key(&key);
    let status = "created".into();
    let body = CreateOrderResponse { order_id, product_id, quantity, status };
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn status(State((seen, script)): Shared, Path(id): Path<String>) -> Response {
    let number = {
        let seen = &mut *seen.lock().unwrap();
        seen.status_requests += 1;
        seen.status_requests - 1
    };
    match script.statuses.get(number) {
        Some(200) | None => Json(order_json(&id, &[EventType::OrderCreated])).into_response(),
        Some(status) => StatusCode::from_u16(*status).unwrap().into_response(),
    }
}

async fn inventory(Path(id): Path<String>) -> Json<Value> {
    let last_updated = "2026-01-02T03:04:05Z";
    Json(
        json!({ "product_id": id, "current_stock": 5, "reserved_stock": 2, "last_updated": last_updated }),
    )
}

async fn socket(
    State((seen, script)): Shared,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, usize>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let number = {
        let seen = &mut *seen.lock().unwrap();
        seen.sockets += 1;
        seen.afters.push(query.get("after").copied());
        seen.sockets - 1
    };
    let last = script.sockets.len().saturating_sub(1);
    let script = script.sockets.get(number.min(last)).cloned().unwrap_or_default();
    upgrade.on_upgrade(move |socket| serve_socket(socket, id, script, seen))
}

async fn serve_socket(
    mut socket: WebSocket,
    id: String,
    script: SocketScript,
    seen: Arc<Mutex<Seen>>,
) {
    for events in &script.updates {
        let timestamp = "2026-01-02T03:04:05Z";
        let data = order_json(&id, events);
        let update =
            json!({ "type": "order_update", "order_id": id, "timestamp": timestamp, "data": data });
        if socket.send(Message::text(update.to_string())).await.is_err() {
            return;
        }
    }
    if script.breaks {
        return;
    }
    let ping = r#"{"type":"ping","timestamp":"2026-01-02T03:04:05Z"}"#;
    let _ = socket.send(Message::Ping("p".into())).await;
    let _ = socket.send(Message::text(ping)).await;
    while let Some(Ok(message)) = socket.recv().await {
        let seen = &mut *seen.lock().unwrap();
        match message {
            Message::Pong(payload) if payload == "p" => seen.pongs += 1,
            Message::Text(text) if text.contains("\"pong\"") => seen.json_pongs += 1,
            Message::Close(Some(CloseFrame { code, .. })) => seen.close_codes.push(code),
            _ => {}
        }
    }
}

fn order_json(id: &str, events: &[EventType]) -> Value {
    let event = |(second, event_type): (usize, &EventType)| {
        json!({
            "event_id": "e", "event_type": event_type.name(), "version": "v1",
            "data": "{\"quoted\":\"\\\"\"}", "timestamp": format!("2026-01-02T03:04:{second:02}Z"),
        })
    };
    let events: Vec<_> = events.iter().enumerate().map(event).collect();
    json!({ "order_id": id, "status": "created", "events": events })
}
