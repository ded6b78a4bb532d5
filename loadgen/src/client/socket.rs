//! A WebSocket as a virtual user holds it: a TCP connection, and hardly any memory.

use std::cell::{RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::frame::{Decoder, FrameError, Message, encode, opcode};
use super::http::{Failure, Route};
use super::request::Request;
use super::target::Traffic;
use super::wire::{Expected, Response};

/// The example of RFC 6455 §1.3. The key keeps caches from answering instead of the server and is no
/// secret; with a fixed one the server's proof is a comparison.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What every handshake says (RFC 6455 §4.1).
const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY),
];
/// The body of a refused handshake.
const LARGEST_REFUSAL_BYTES: usize = 1 << 20;

/// One read of a socket takes at most this much.
const READ_BYTES: usize = 64 * 1024;
/// How long a closed peer may take to close as well.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Read by all sockets of a shard: each read is decoded before the next task runs.
pub(crate) struct ReadBuffer(RefCell<Box<[u8]>>);

impl ReadBuffer {
    pub(crate) fn borrow_mut(&self) -> RefMut<'_, Box<[u8]>> {
        self.0.borrow_mut()
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self(RefCell::new(vec![0; READ_BYTES].into()))
    }
}

#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error("no connection: {}", .0.name())]
    Failed(Failure),
    #[error("the server answered {0}")]
    Refused(StatusCode),
    #[error("the server's answer is no WebSocket handshake")]
    NoHandshake,
}

impl OpenError {
    /// Whether this instance is not there, or says that it does not serve now: another one may.
    pub(crate) fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Failed(Failure::Connect) | Self::Refused(StatusCode::SERVICE_UNAVAILABLE)
        )
    }
}

#[derive(Debug, Error)]
pub(crate) enum SocketError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the connection ended without a close frame")]
    Ended,
}

/// The first bytes after an accepted handshake.
fn upgraded(response: Response<'_>, _: Instant) -> Result<Bytes, OpenError> {
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        let status = StatusCode::from_u16(response.status);
        return Err(status.map_or(OpenError::NoHandshake, OpenError::Refused));
    }
    if response.header("sec-websocket-accept") != Some(ACCEPT.as_bytes()) {
        return Err(OpenError::NoHandshake);
    }
    Ok(Bytes::copy_from_slice(response.rest))
}

pub(crate) struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    traffic: Rc<Traffic>,
    buffer: Rc<ReadBuffer>,
    /// What came in with the answer to the handshake.
    early: Option<Bytes>,
    /// Any four bytes: no proxy is to be protected here, only the protocol to be kept.
    mask: u32,
}

impl Socket {
    /// Connects and shakes hands, within `timeout`. `headers` are the caller's own.
    pub(crate) async fn open(
        route: &Route<'_>,
        path: &str,
        headers: &[(&str, &str)],
        buffer: &Rc<ReadBuffer>,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let work = Self::shake_hands(route, path, headers, buffer);
        let opened = tokio::time::timeout(timeout, work).await;
        opened.unwrap_or(Err(OpenError::Failed(Failure::Timeout)))
    }

    async fn shake_hands(
        route: &Route<'_>,
        path: &str,
        headers: &[(&str, &str)],
        buffer: &Rc<ReadBuffer>,
    ) -> Result<Self, OpenError> {
        let mut connection = Connection::open(route, buffer).await.map_err(OpenError::Failed)?;
        let headers = [&HANDSHAKE[..], headers].concat();
        let request = Request { headers: &headers, ..Request::get(path) };
        // A refusal may say more than anybody reads.
        let expected = Expected { no_body: false, largest_body: LARGEST_REFUSAL_BYTES };
        let answer = connection.exchange(&request.encode(route), expected, upgraded).await;
        let (early, _) = answer.map_err(|_| OpenError::Failed(Failure::Broken))?;
        let early = early?;
        Ok(Self {
            stream: connection.into_stream(),
            decoder: Decoder::default(),
            traffic: Rc::clone(route.traffic),
            buffer: Rc::clone(buffer),
            early: (!early.is_empty()).then_some(early),
            mask: 0x9e37_79b9,
        })
    }

    /// Waits for something to come in and hands the messages that are complete to `on_message`. May be
    /// dropped at any time without losing anything.
    pub(crate) async fn receive(
        &mut self,
        on_message: impl FnMut(Message<'_>),
    ) -> Result<(), SocketError> {
        if let Some(early) = self.early.take() {
            return Ok(self.decoder.feed(&early, on_message)?);
        }
        loop {
            self.stream.readable().await?;
            let mut buffer = self.buffer.borrow_mut();
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err(SocketError::Ended),
                Ok(count) => {
                    self.traffic.add_received(count);
                    return Ok(self.decoder.feed(&buffer[..count], on_message)?);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.mask = self.mask.rotate_left(5) ^ 0x5bd1_e995;
        let mut bytes = Vec::with_capacity(payload.len() + 14);
        encode(opcode, payload, self.mask.to_ne_bytes(), &mut bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(count) => {
                    self.traffic.add_sent(count);
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes with `code` and waits a moment for the other side to close too. Messages that were on
    /// their way go to `on_message`. Whether the other side did.
    pub(crate) async fn close(
        mut self,
        code: u16,
        mut on_message: impl FnMut(Message<'_>),
    ) -> bool {
        if self.send(opcode::CLOSE, &code.to_be_bytes()).await.is_err() {
            return false;
        }
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        let mut closed = false;
        while !closed {
            let receive = self.receive(|message| {
                closed |= matches!(message, Message::Close(_));
                on_message(message);
            });
            if !matches!(tokio::time::timeout_at(deadline.into(), receive).await, Ok(Ok(()))) {
                break;
            }
        }
        closed
    }
}
