//! The token bucket in front of a route, and its headers on every answer of that route.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contract::http::limit_header;

use super::{ApiError, Peer};
use crate::kit::client_address::TrustedProxies;
use crate::kit::clock::Clock;
use crate::kit::limit::{Buckets, Verdict};
use crate::kit::metrics::RATE_LIMITED;

/// One limit of one route.
#[derive(Debug)]
pub(crate) struct Limited {
    /// None: no limit, and no headers.
    buckets: Option<Mutex<Buckets>>,
    proxies: TrustedProxies,
    clock: Clock,
    /// What is limited, in the plural: `orders`.
    what: &'static str,
}

impl Limited {
    /// `per_minute` of `what` for each client address; 0 switches the limit off.
    pub(crate) fn new(
        what: &'static str,
        per_minute: u32,
        proxies: TrustedProxies,
        clock: Clock,
    ) -> Arc<Self> {
        let buckets = Buckets::per_minute(per_minute).map(Mutex::new);
        Arc::new(Self { buckets, proxies, clock, what })
    }
}

/// Middleware for [`axum::middleware::from_fn_with_state`]: 429 with `Retry-After` for who has no token left.
pub(crate) async fn limited(
    State(limited): State<Arc<Limited>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let Some(buckets) = &limited.buckets else { return next.run(request).await };
    let buckets = || buckets.lock().unwrap_or_else(PoisonError::into_inner);
    let client = limited.proxies.client_address(peer.ip(), request.headers()).into();
    let mut verdict = buckets().take(client, limited.clock.monotonic());
    let mut response = match verdict.wait {
        None => next.run(request).await,
        Some(wait) => {
            RATE_LIMITED.add_to(&[("what", limited.what)], 1);
            refusal(limited.what, verdict.limit, whole_seconds(wait)).into_response()
        }
    };
    if response.status().is_server_error() {
        // The fault is ours: who tries again, as the answer asks for, must not run into the limit.
        verdict = buckets().give_back(client, limited.clock.monotonic());
    }
    for (name, value) in headers(verdict) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn refusal(what: &str, limit: u32, retry_after_seconds: u64) -> ApiError {
    let details = format!(
        "{limit} {what} a minute from one address are allowed: try again in {retry_after_seconds} s"
    );
    ApiError::too_many("too many requests", details, retry_after_seconds)
}

fn headers(verdict: Verdict) -> [(HeaderName, HeaderValue); 3] {
    [
        (HeaderName::from_static(limit_header::LIMIT), verdict.limit.into()),
        (HeaderName::from_static(limit_header::REMAINING), verdict.remaining.into()),
        (HeaderName::from_static(limit_header::RESET), whole_seconds(verdict.reset).into()),
    ]
}

/// Rounded up: who comes back after so many seconds must not be early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
