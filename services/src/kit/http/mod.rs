//! HTTP as every service and the gateway serve it: one accept loop with its bounds, one shape of error.
//!
//! A service hands [`serve`] a listener from [`bind`], a router from [`router`], the clock and the
//! shutdown token. [`serve`] returns when the last request in flight has been answered.

mod body;
mod cors;
mod door;
mod drain;
mod edge;
mod error;
mod json;
mod limited;
pub(crate) mod management;
mod measured;
mod page;
mod panic;
mod path;
mod serve;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::{TcpListener, TcpSocket};

pub(crate) use body::json_body;
pub(crate) use cors::AllowedOrigins;
pub(crate) use door::Door;
pub use edge::EdgeArgs;
pub(crate) use error::{ApiError, FreshlyCreated, Reply};
pub(crate) use json::json;
pub(crate) use limited::{Limited, limited};
pub(crate) use page::Wanted;
pub(crate) use path::order_id;
pub(crate) use serve::{Peer, serve};

use crate::kit::clock::Clock;
use crate::kit::health::{self, Health};
use crate::openapi;

/// Connections that wait to be accepted: a crowd that arrives at once must not see resets.
const BACKLOG: u32 = 4096;

/// What the kernel holds for one client that does not read, about twice as much as is asked for: left to
/// itself it takes megabytes. An order's frame has three kilobytes.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// Listens on `host:port` (port 0 picks one). A restart gets its port back at once, although
/// connections of its predecessor are still in TIME_WAIT.
///
/// # Errors
/// The host does not resolve, or the port is occupied: the message names the address.
pub(crate) async fn bind(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let address = tokio::net::lookup_host((host, port))
        .await
        .with_context(|| format!("cannot resolve {host}"))?
        .next()
        .with_context(|| format!("{host} has no address"))?;
    let listen = || -> std::io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen on {address}"))
}

/// `routes` with `GET /health`, `GET /ready` and `GET /openapi.json`, the specification's error body for
/// unknown paths and methods, and every request counted.
///
/// A layer for everything (CORS) goes around the result: within `routes` it would miss the fallbacks,
/// and preflight requests are just that.
pub(crate) fn router(health: Arc<Health>, routes: Router, clock: Clock) -> Router {
    routes
        .merge(health::routes(health))
        .merge(openapi::routes())
        .fallback(|uri: Uri| async move { ApiError::unknown_path(uri.path()) })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            ApiError::wrong_method(&method, uri.path())
        })
        .layer(from_fn(panic::answered))
        .layer(from_fn_with_state(clock, measured::measured))
}
