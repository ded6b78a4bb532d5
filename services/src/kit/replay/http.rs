//! `POST /replay` and `GET /replay`, on the management port.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use contract::http::ErrorResponse;
use contract::replay::{ReplayReport, ReplayRequest, ReplayStatus, ReplayTrigger};
use utoipa::OpenApi;

use super::{Refusal, Replays};
use crate::kit::http::{ApiError, json};

/// When a service that is starting should be asked again.
const RETRY_AFTER_SECONDS: u64 = 1;

pub(crate) fn routes(replays: Arc<Replays>) -> Router {
    Router::new().route("/replay", get(read).post(begin)).with_state(replays)
}

/// What the management door of every service with a state serves, for `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(read, begin))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/replay",
    tag = "Operations",
    operation_id = "read_replay",
    summary = "Read the progress and the findings of the replay",
    description = "Of the one that runs or of the last one; what the service began with, and how far it is behind",
    responses((status = 200, description = "What is known", body = ReplayStatus)),
)]
async fn read(State(replays): State<Arc<Replays>>) -> Json<ReplayStatus> {
    Json(replays.status())
}

#[utoipa::path(
    post,
    path = "/replay",
    tag = "Operations",
    operation_id = "begin_replay",
    summary = "Check the service's state against the log",
    description = "Reads the log again, folds it into a second state and compares the two. It causes no effect, \
                   unless `apply` is set: then a state that differs is replaced.",
    request_body(content = ReplayRequest, description = "What is left out has the specification's value."),
    responses(
        (status = 202, description = "The replay has begun", body = ReplayReport),
        (status = 400, description = "Bad request", body = ErrorResponse),
        (status = 408, description = "The body did not arrive in time", body = ErrorResponse),
        (status = 409, description = "A replay is running already, or the state is kept in tables: there is nothing \
                                      to replay", body = ErrorResponse),
        (status = 413, description = "The body is too large", body = ErrorResponse),
        (status = 415, description = "The body is no JSON", body = ErrorResponse),
    ),
)]
async fn begin(
    State(replays): State<Arc<Replays>>,
    request: Request,
) -> Result<Response, ApiError> {
    let request: ReplayRequest = json(request, "not a replay").await?;
    if request.batch_size == 0 {
        return Err(ApiError::invalid("not a replay", "batch_size must be at least 1"));
    }
    match replays.begin(request, ReplayTrigger::Manual).await {
        Ok(report) => Ok((StatusCode::ACCEPTED, Json(report)).into_response()),
        Err(Refusal::Busy) => {
            let details = "one at a time: GET /replay tells how far it is";
            Err(ApiError::conflict("a replay is running", details))
        }
        Err(Refusal::InTables) => {
            let details = "the tables in PostgreSQL are the state of this service: `doorbuster audit \
                           --database` compares them with the log";
            Err(ApiError::conflict("nothing to replay", details))
        }
        Err(Refusal::NotReady) => {
            let details = "the service does not know its state yet: try again";
            Err(ApiError::unavailable("not ready for a replay", details, RETRY_AFTER_SECONDS))
        }
    }
}
