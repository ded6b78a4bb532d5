//! Counts, times and traces every request.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::kit::clock::Clock;
use crate::kit::metrics::{HTTP_REQUESTS, HTTP_SECONDS};
use crate::kit::trace::{Kind, Span, TRACEPARENT, TraceContext};

/// The route of a path that nothing is served at: paths are the client's to invent.
const UNMATCHED: &str = "unmatched";

/// Middleware for [`axum::middleware::from_fn_with_state`].
pub(super) async fn measured(
    State(clock): State<Clock>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = clock.monotonic();
    let parent = request.headers().get(TRACEPARENT);
    let parent = parent.and_then(|header| TraceContext::parse(header.as_bytes()));
    let mut span = Span::root(parent, Kind::Server, clock.now());
    if let Some(context) = span.context() {
        request.extensions_mut().insert(context);
    }
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = method_name(request.method());
    let response = next.run(request).await;
    let took = clock.monotonic().saturating_sub(began);
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let status = response.status().as_str().to_owned();
    if span.is_recording() {
        span.attribute("http.response.status_code", &status);
        let failed = response.status().is_server_error();
        span.end(format!("{method} {route}"), clock.now(), failed);
    }
    HTTP_SECONDS.record_named(&[("route", route.clone())], took);
    let labels = [("route", route), ("method", method.to_owned()), ("status", status)];
    HTTP_REQUESTS.add_named(&labels, 1);
    response
}

/// Methods are the client's to invent as well.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
