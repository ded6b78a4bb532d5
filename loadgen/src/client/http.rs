//! One HTTP/1.1 request on a connection of its own.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;

use super::connection::{Connection, Moments, Trouble};
use super::socket::ReadBuffer;
use super::target::{Target, Traffic};
use super::wire::{Expected, Response};

/// Bodies of the shop are a few kilobytes.
const LARGEST_BODY_BYTES: usize = 1 << 20;

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: the service has not seen the request.
    Connect,
    Timeout,
    /// The connection broke after the request may have been read.
    Broken,
}

impl Failure {
    /// The value of the `error` tag.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

/// When a request did what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) started: Instant,
    /// Set when a connection was opened for it.
    pub(crate) connected: Option<Instant>,
    pub(crate) sent: Option<Instant>,
    /// The answer's first bytes.
    pub(crate) answered: Option<Instant>,
    pub(crate) ended: Instant,
}

impl Times {
    /// Of a request that begins now.
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { started: now, connected: None, sent: None, answered: None, ended: now }
    }

    pub(crate) fn note(&mut self, moments: Moments) {
        self.sent = Some(moments.sent);
        self.answered = Some(moments.answered);
        self.ended = moments.ended;
    }
}

/// One request with its phases.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) outcome: Result<Reply, Failure>,
    pub(crate) times: Times,
    /// Whether the service may have seen the request.
    pub(crate) may_have_arrived: bool,
}

/// How to reach a service as a certain client.
pub(crate) struct Route<'a> {
    pub(crate) target: &'a Target,
    /// Nobody in particular where there is none.
    pub(crate) client: Option<IpAddr>,
    pub(crate) traffic: &'a Rc<Traffic>,
}

/// Connects, sends `request`, reads the whole answer and closes, all within `timeout`. The request should say
/// that the connection is to be closed.
pub(crate) async fn exchange(
    route: &Route<'_>,
    request: &[u8],
    buffer: &Rc<ReadBuffer>,
    timeout: Duration,
) -> Exchange {
    let mut times = Times::begin();
    let deadline = times.started + timeout;
    let work = attempt(route, request, buffer, &mut times);
    let outcome = tokio::time::timeout_at(deadline.into(), work).await;
    let outcome = outcome.unwrap_or(Err(Failure::Timeout));
    if outcome.is_err() {
        times.ended = Instant::now();
    }
    Exchange { outcome, may_have_arrived: times.connected.is_some(), times }
}

async fn attempt(
    route: &Route<'_>,
    request: &[u8],
    buffer: &Rc<ReadBuffer>,
    times: &mut Times,
) -> Result<Reply, Failure> {
    let mut connection = Connection::open(route, buffer).await?;
    times.connected = Some(Instant::now());
    let expected = Expected { no_body: false, largest_body: LARGEST_BODY_BYTES };
    let judge = |response: Response<'_>, _| {
        let status = StatusCode::from_u16(response.status).map_err(|_| Failure::Broken)?;
        Ok(Reply { status, body: Bytes::copy_from_slice(response.body) })
    };
    let answer = connection.exchange(request, expected, judge).await;
    let (reply, moments) = answer.map_err(|trouble| {
        if let Trouble::Wire(error) = trouble {
            tracing::warn!(%error, "not a usable answer");
        }
        Failure::Broken
    })?;
    times.note(moments);
    reply
}
