//! `POST /order`: parse, create, answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use contract::http::{CreateOrderRequest, CreateOrderResponse, ErrorResponse, IDEMPOTENCY_KEY};
use utoipa::OpenApi;

use super::create::{CreateError, Desk};
use super::dispatch::DispatchError;
use super::queue::QueueError;
use super::request::{self, Invalid};
use crate::kit::health::Health;
use crate::kit::http::{ApiError, FreshlyCreated, Limited, json_body, limited};
use crate::kit::trace::TraceContext;

/// When a client should try again whose order could not even be queued: Kafka takes a while to return.
const RETRY_AFTER_SECONDS: u64 = 5;

/// The `status` of every order taken (specification §5.1).
const CREATED: &str = "created";

#[derive(Clone)]
struct Shop {
    desk: Arc<Desk>,
    health: Arc<Health>,
}

pub(super) fn routes(desk: Arc<Desk>, health: Arc<Health>, limit: Arc<Limited>) -> Router {
    Router::new()
        .route("/order", post(create_order).layer(from_fn_with_state(limit, limited)))
        .with_state(Shop { desk, health })
}

/// This service's part of `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(create_order))]
pub(crate) struct Api;

#[utoipa::path(
    post,
    path = "/order",
    tag = "Orders",
    summary = "Create new order",
    description = "Creates a new order and initiates processing workflow",
    params(
        ("Idempotency-Key" = Option<String>, Header,
         description = "Makes the request repeatable, also across restarts: the same key with the same body is the \
                        same order and gets the same answer, with another body it is refused (422). 1 to 255 \
                        printable ASCII characters. Without it each request is an order of its own.",
         min_length = 1, max_length = 255, pattern = "^[ -~]+$", example = "cart-7f3a"),
    ),
    request_body(
        content = CreateOrderRequest,
        description = "At most 64 KiB. Unknown fields are ignored.",
        examples(("basic_order" = (
            summary = "Basic order example",
            value = json!({"product_id": "product-1", "quantity": 2}),
        ))),
    ),
    responses(
        (status = 201, description = "Order created successfully", body = CreateOrderResponse,
         example = json!({
            "order_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "product_id": "product-1",
            "quantity": 2,
            "status": "created",
         })),
        (status = 400, description = "Invalid request", body = ErrorResponse, example = json!({
            "error": "invalid quantity",
            "details": "quantity is 0: send a whole number from 1 to 100",
            "timestamp": "2026-01-02T03:04:05.678901Z",
        })),
        (status = 408, description = "The body did not arrive within 5 s", body = ErrorResponse),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorResponse),
        (status = 415, description = "The body is not declared as JSON", body = ErrorResponse),
        (status = 422, description = "The Idempotency-Key was used for another order", body = ErrorResponse),
        (status = 429, description = "Too many orders from one client address", body = ErrorResponse),
        (status = 503, description = "The order could not be taken now; repeated with the same \
                                      Idempotency-Key it cannot become two", body = ErrorResponse),
    ),
    extensions(("x-rate-limit" = json!("10 requests/minute per IP"))),
)]
async fn create_order(
    State(Shop { desk, health }): State<Shop>,
    request: Request,
) -> Result<FreshlyCreated<CreateOrderResponse>, ApiError> {
    health.check_started()?;
    let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
    let key = key.as_ref().map(|key| request::idempotency_key(key.as_bytes())).transpose()?;
    let trace = request.extensions().get::<TraceContext>().copied();
    let order = request::parse(&json_body(request).await?)?;
    let (product_id, quantity) = (order.product_id, order.quantity);
    let order_id = desk.create(key, order, trace).await?;
    let status = CREATED.to_owned();
    Ok(FreshlyCreated(CreateOrderResponse { order_id, product_id, quantity, status }))
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.summary(), invalid.to_string())
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Contradiction => Self::contradiction(
                "Idempotency-Key was used for another order",
                "send the same body again, or another key",
            ),
            CreateError::Dispatch(error) => {
                tracing::warn!(%error, "order not taken");
                Self::unavailable("order not confirmed", advice(&error), RETRY_AFTER_SECONDS)
            }
        }
    }
}

/// With the same key a repeat cannot create a second order, whether or not the first attempt did.
fn advice(error: &DispatchError) -> String {
    let reason = match error {
        DispatchError::Refused(_) => "Kafka refuses orders",
        DispatchError::Queue(QueueError::Full) => {
            "Kafka is out of reach, and as many orders wait for it as may"
        }
        DispatchError::Queue(QueueError::Unwritable(_)) => {
            "Kafka is out of reach, and the order could not be written to disk"
        }
    };
    format!("{reason}: repeat the request with the same Idempotency-Key")
}
