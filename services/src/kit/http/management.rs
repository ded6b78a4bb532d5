//! The management door: what those who run the shop ask for.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;

use crate::kit::metrics::Scrape;

/// `GET /metrics`. Whoever wants more merges it.
pub(crate) fn routes(scrape: Scrape) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(scrape)
}

/// What every management door serves, for `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(metrics))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operations",
    summary = "Read the metrics",
    description = "In Prometheus' text format, version 0.0.4",
    responses(
        (status = 200, description = "Every metric of this process", body = String),
    ),
)]
async fn metrics(State(scrape): State<Scrape>) -> Response {
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, text)], scrape.render()).into_response()
}
