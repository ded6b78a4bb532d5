//! One HTTP/1.1 request on a connection of its own.
//!
//! hyper speaks the protocol; the connection is polled by the task that waits for the answer, so that no
//! request costs a second task.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::target::{Target, Traffic};

/// Bodies of the shop are a few kilobytes.
const LARGEST_BODY_BYTES: usize = 1 << 20;
/// Tells a proxy's or a remote service's limits which client asks, where the source address cannot.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

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

/// One request with its phases.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) outcome: Result<Reply, Failure>,
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    pub(crate) connecting: Option<Duration>,
    /// From the request's first byte to the answer's.
    pub(crate) waiting: Option<Duration>,
    /// Whether the service may have seen the request.
    pub(crate) may_have_arrived: bool,
}

/// How to reach a service as a certain client.
pub(crate) struct Route<'a> {
    pub(crate) target: &'a Target,
    pub(crate) client: IpAddr,
    pub(crate) traffic: &'a Rc<Traffic>,
}

/// Connects, sends `request`, reads the whole answer and closes, all within `timeout`.
pub(crate) async fn exchange(
    route: &Route<'_>,
    request: Request<Full<Bytes>>,
    timeout: Duration,
) -> Exchange {
    let started = Instant::now();
    let mut phases = Phases::default();
    let work = attempt(route, request, &mut phases);
    let outcome = tokio::time::timeout_at((started + timeout).into(), work).await;
    let ended = Instant::now();
    Exchange {
        outcome: outcome.unwrap_or(Err(Failure::Timeout)),
        started,
        ended,
        connecting: phases.connected.map(|connected| connected - started),
        waiting: phases.connected.zip(phases.answered).map(|(sent, answered)| answered - sent),
        may_have_arrived: phases.connected.is_some(),
    }
}

#[derive(Default)]
struct Phases {
    connected: Option<Instant>,
    answered: Option<Instant>,
}

async fn attempt(
    route: &Route<'_>,
    mut request: Request<Full<Bytes>>,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    let mut connection = Connection::open(route).await?;
    phases.connected = Some(Instant::now());
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let response = connection.send(route, request).await.map_err(|_| Failure::Broken)?;
    phases.answered = Some(Instant::now());
    let (head, body) = response.into_parts();
    let body = connection.drive(Limited::new(body, LARGEST_BODY_BYTES).collect()).await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            tracing::warn!("an answer is longer than {LARGEST_BODY_BYTES} bytes");
        }
        Failure::Broken
    })?;
    Ok(Reply { status: head.status, body: body.to_bytes() })
}

/// An open connection.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Metered>, Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn open(route: &Route<'_>) -> Result<Self, Failure> {
        let stream = route.target.connect(route.client).await.map_err(|_| Failure::Connect)?;
        let metered = Metered { stream, traffic: Rc::clone(route.traffic) };
        let (sender, driver) =
            http1::handshake(TokioIo::new(metered)).await.map_err(|_| Failure::Connect)?;
        Ok(Self { sender, driver })
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(
        &mut self,
        route: &Route<'_>,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<hyper::body::Incoming>> {
        if let Some(path) =
            route.target.prefixed(request.uri().path_and_query().map_or("", |p| p.as_str()))
        {
            // Both parts are paths already, so that together they are one.
            *request.uri_mut() = path.parse().unwrap_or_default();
        }
        let headers = request.headers_mut();
        headers.insert(HOST, route.target.host.clone());
        if !route.target.is_local()
            && let Ok(client) = HeaderValue::from_str(&route.client.to_string())
        {
            headers.insert(FORWARDED_FOR, client);
        }
        let response = self.sender.send_request(request);
        drive(&mut self.driver, response).await
    }

    /// Waits for `work`, which needs the connection to make progress.
    async fn drive<F: Future>(&mut self, work: F) -> F::Output {
        drive(&mut self.driver, work).await
    }

    /// After a 101: the bare connection, and what was read of it already.
    pub(crate) async fn into_upgraded(mut self) -> hyper::Result<(TcpStream, Bytes)> {
        poll_fn(|cx| self.driver.poll_without_shutdown(cx)).await?;
        let parts = self.driver.into_parts();
        Ok((parts.io.into_inner().stream, parts.read_buf))
    }
}

async fn drive<F: Future>(
    driver: &mut http1::Connection<TokioIo<Metered>, Full<Bytes>>,
    work: F,
) -> F::Output {
    let mut work = pin!(work);
    let mut open = true;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            // What the driver read on its last poll may be all that `work` waits for.
            if !open || driver.poll_without_shutdown(cx).is_pending() {
                break;
            }
            open = false;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// A connection that counts its bytes.
struct Metered {
    stream: TcpStream,
    traffic: Rc<Traffic>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.traffic.add_received(buffer.filled().len() - before);
        polled
    }
}

impl Metered {
    fn count_sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.traffic.add_sent(written);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count_sent(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count_sent(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
