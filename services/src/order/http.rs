//! `POST /order`: parse, create, answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use contract::http::{CreateOrderResponse, IDEMPOTENCY_KEY};

use super::create::{CreateError, Desk};
use super::request::{self, Invalid};
use crate::kit::health::Health;
use crate::kit::http::{ApiError, FreshlyCreated, Limited, json_body, limited};
use crate::kit::publisher::PublishError;
use crate::kit::trace::TraceContext;

/// When a client should try again whose order could not be published.
const RETRY_AFTER_SECONDS: u64 = 1;

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

async fn create_order(
    State(Shop { desk, health }): State<Shop>,
    request: Request,
) -> Result<FreshlyCreated<CreateOrderResponse>, ApiError> {
    health.check_ready()?;
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
            CreateError::Publish(error) => {
                tracing::warn!(%error, "order not published");
                Self::unavailable("order not confirmed", advice(&error), RETRY_AFTER_SECONDS)
            }
        }
    }
}

/// With the same key a repeat cannot create a second order, whether or not the first attempt did.
fn advice(error: &PublishError) -> String {
    format!("{error}: repeat the request with the same Idempotency-Key")
}
