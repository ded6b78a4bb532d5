//! The accept loop: bounded in connections, headers, requests and time, and with an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::door::{Admission, Door, Turnstile};
use super::drain::{self, FirstRequest};
use super::error::{ApiError, finish};
use crate::kit::clock::Clock;
use crate::kit::metrics::HTTP_CONNECTIONS;
use crate::kit::shutdown::Shutdown;

/// Time for a whole request (specification §2.1).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one request's headers, and of what is read ahead of a handler.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Pause after a failure to accept, most likely for want of file descriptors: others may close some.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Time that requests in flight get to end after the shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Specification §5.2.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("x-xss-protection"), HeaderValue::from_static("1; mode=block")),
];

/// An answer of the API is data: no browser has anything to load for it, or to frame.
const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Request extension: the other end of the TCP connection, be it a client or a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Serves `router` until `shutdown`; then accepts no more, lets requests in flight end, and returns.
pub(crate) async fn serve(
    listener: TcpListener,
    door: Door,
    router: Router,
    clock: Clock,
    shutdown: Shutdown,
) {
    let host = Host {
        header_timeout: door.header_timeout,
        router,
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let permits = Arc::new(Semaphore::new(door.connections));
    let turnstile = Turnstile::of(door);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((permit, stream, peer)) = accepted else { continue };
        let Some(admission) = turnstile.admit(peer.ip()) else {
            turnstile.refuse(stream, clock.now());
            continue;
        };
        let served = connection(stream, peer, host.clone());
        HTTP_CONNECTIONS.add(1.0);
        connections.spawn(async move {
            served.await;
            HTTP_CONNECTIONS.add(-1.0);
            drop::<(_, Admission)>((permit, admission));
        });
    }
    // Closed before waiting, so that nobody is left in the backlog without an answer.
    for (stream, peer) in drain::close(listener) {
        connections.spawn(connection(stream, peer, host.clone()));
    }
    connections.close();
    if tokio::time::timeout(SHUTDOWN_GRACE, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "connections did not end in time");
    }
}

type Accepted = (tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr);

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((permit, stream, peer)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_BACKOFF).await;
            None
        }
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Host {
    header_timeout: Duration,
    router: Router,
    clock: Clock,
    shutdown: Shutdown,
}

async fn connection(stream: TcpStream, peer: SocketAddr, host: Host) {
    let Host { header_timeout, router, clock, shutdown } = host;
    // Fails only when the peer has gone already; the connection finds out by itself.
    let _ = stream.set_nodelay(true);
    let first_request = FirstRequest::default();
    let begun = first_request.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        begun.arrived();
        let (router, clock) = (router.clone(), clock.clone());
        async move { Ok::<_, std::convert::Infallible>(answer(request, peer, router, &clock).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = first_request.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection broke off");
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    mut router: Router,
    clock: &Clock,
) -> Response<Body> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    // A router is always ready, and has no way to fail.
    let response = tokio::time::timeout(REQUEST_TIMEOUT, router.call(request)).await;
    let response = match response {
        Ok(Ok(response)) => response,
        Err(_) => ApiError::unavailable(
            "request timed out",
            format!("no answer within {} s: try again", REQUEST_TIMEOUT.as_secs()),
            1,
        )
        .into_response(),
    };
    let mut response = finish(response, clock.now());
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, value);
    }
    // A page may bring its own.
    response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    response
}
