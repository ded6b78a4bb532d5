//! A service that is no shop: what generic flows are tried on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, RawForm, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};

/// What the service saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Method, path with query, and body of each request.
    pub(crate) requests: Vec<(String, String, String)>,
    pub(crate) headers: Vec<HeaderMap>,
    /// One for each request: how many connections there were differs from it where they are kept.
    pub(crate) clients: Vec<SocketAddr>,
    pub(crate) messages: Vec<String>,
}

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// Ends the server when it goes.
    _runtime: tokio::runtime::Runtime,
}

type Shared = State<Arc<Mutex<Seen>>>;

impl Service {
    pub(crate) fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let app = axum::Router::new()
            .route("/login", post(login))
            .route("/items/{id}", get(item))
            .route("/status/{code}", any(status))
            .route("/redirect", get(redirect))
            .route("/chunks", get(chunks))
            .route("/form", post(form))
            .route("/talk", get(talk))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&seen), note))
            .with_state(Arc::clone(&seen))
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, seen, _runtime: runtime }
    }
}

async fn note(
    State(seen): Shared,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    {
        let seen = &mut *seen.lock().unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        seen.requests.push((head.method.to_string(), head.uri.to_string(), text));
        seen.headers.push(head.headers.clone());
        seen.clients.push(client);
    }
    next.run(axum::extract::Request::from_parts(head, body.into())).await
}

async fn login(Json(body): Json<Value>) -> Response {
    let token = format!("t\"{}", body["user"].as_str().unwrap_or("nobody"));
    let answer = json!({ "token": token, "items": [{ "id": 7 }, { "id": "eight" }], "count": 2.0 });
    (StatusCode::CREATED, [("etag", "v-1")], Json(answer)).into_response()
}

async fn item(Path(id): Path<String>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    Json(json!({ "id": id, "query": query }))
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

async fn redirect() -> Response {
    (StatusCode::FOUND, [("location", "/items/9")]).into_response()
}

async fn chunks() -> Response {
    let pieces =
        ["{\"a\"", ":1", "}"].map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::from(piece)));
    axum::body::Body::from_stream(futures_util::stream::iter(pieces)).into_response()
}

async fn form(RawForm(form): RawForm) -> Vec<u8> {
    form.to_vec()
}

async fn talk(State(seen): Shared, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| answer(socket, seen))
}

/// Greets, and says `echo` to whatever is said; `bye` makes it leave.
async fn answer(mut socket: WebSocket, seen: Arc<Mutex<Seen>>) {
    let greeting = json!({ "type": "welcome", "session": "s-1" }).to_string();
    if socket.send(Message::text(greeting)).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        seen.lock().unwrap().messages.push(text.to_string());
        if text == "bye" {
            return;
        }
        let _ = socket.send(Message::Ping("p".into())).await;
        let noise = json!({ "type": "noise" }).to_string();
        let _ = socket.send(Message::text(noise)).await;
        let echo = json!({ "type": "echo", "text": text.as_str() }).to_string();
        if socket.send(Message::text(echo)).await.is_err() {
            return;
        }
    }
}
