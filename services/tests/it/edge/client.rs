//! HTTP and WebSocket clients that can come from any loopback address.

use std::net::SocketAddr;

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use contract::http::ErrorResponse;
use contract::order::Order;
use contract::ws::{ErrorData, Message as Envelope, MessageType};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request as Handshake;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::child::DEADLINE;

/// Where most tests come from.
pub(crate) const HERE: &str = "127.0.0.1";

pub(crate) async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
    tokio::time::timeout(DEADLINE, socket.connect(address)).await.unwrap().unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.header(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).parse().unwrap()
    }

    /// The specification's error body, after the checks that hold for each.
    pub(crate) fn error(&self, status: u16) -> ErrorResponse {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let error: ErrorResponse = self.json();
        assert!(!error.error.is_empty() && !error.details.is_empty(), "{error:?}");
        error
    }
}

/// Sends one request over a connection of its own.
pub(crate) async fn send_from(
    source: &str,
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Answer {
    send_over(connect_from(source, address).await, request).await
}

/// The same over a connection that is there.
pub(crate) async fn send_over(stream: TcpStream, request: Request<Full<Bytes>>) -> Answer {
    let exchange = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Answer { status: parts.status, headers: parts.headers, body }
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("answered in time")
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "shop").body(Full::default()).unwrap()
}

pub(crate) fn post(
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("host", "shop");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) async fn read(address: SocketAddr, path: &str) -> Answer {
    send_from(HERE, address, get(path)).await
}

/// A WebSocket.
pub(crate) struct Socket(pub(super) WebSocketStream<TcpStream>);

/// Why a handshake failed.
pub(crate) type Refusal = Answer;

pub(crate) fn handshake(address: SocketAddr, id: &str) -> Handshake {
    format!("ws://{address}/ws/{id}").into_client_request().unwrap()
}

pub(crate) async fn open(source: &str, address: SocketAddr, id: &str) -> Result<Socket, Refusal> {
    open_with(connect_from(source, address).await, handshake(address, id)).await
}

pub(crate) async fn open_with(stream: TcpStream, request: Handshake) -> Result<Socket, Refusal> {
    let opened = tokio::time::timeout(DEADLINE, client_async(request, stream)).await.unwrap();
    match opened {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(Error::Http(response)) => {
            let (parts, body) = response.into_parts();
            let body = body.unwrap_or_default().into();
            Err(Answer { status: parts.status, headers: parts.headers, body })
        }
        Err(error) => panic!("no handshake: {error}"),
    }
}

impl Socket {
    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next message; `None` when the connection is gone.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(DEADLINE, self.0.next()).await.expect("a message in time");
        next.and_then(Result::ok)
    }

    /// The next text, as JSON of a given shape.
    pub(crate) async fn text<T: DeserializeOwned>(&mut self) -> Envelope<T> {
        loop {
            match self.next().await.expect("a message and no end") {
                Message::Text(text) => {
                    return serde_json::from_str(&text)
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                }
                Message::Ping(_) => (),
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The order in the next `order_update`.
    pub(crate) async fn update(&mut self) -> Order {
        let update: Envelope<Order> = self.text().await;
        assert_eq!(update.message_type, MessageType::OrderUpdate);
        let order = update.data.unwrap();
        assert_eq!(update.order_id, Some(order.order_id.to_string()));
        order
    }

    /// The code of the next `error`.
    pub(crate) async fn error(&mut self) -> (String, Option<String>) {
        let error: Envelope<ErrorData> = self.text().await;
        assert_eq!(error.message_type, MessageType::Error);
        (error.data.unwrap().code, error.order_id)
    }

    /// The code with which the other end closes, whatever comes before.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await.expect("a close frame before the end") {
                Message::Close(frame) => return frame.expect("a code").code.into(),
                _ => continue,
            }
        }
    }

    pub(crate) async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while self.next().await.is_some() {}
    }
}

/// The types of an order's events, in their order.
pub(crate) fn history(order: &Order) -> Vec<&str> {
    order.events.iter().map(|event| event.event_type.as_str()).collect()
}
