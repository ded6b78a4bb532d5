//! The gateway over HTTP: parse, ask the ledger, answer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use contract::http::{Charge, ChargeOutcome, ChargeRequest, ErrorResponse, IDEMPOTENCY_KEY};
use contract::ids::OrderId;
use futures_util::stream;
use rand::rngs::StdRng;
use utoipa::OpenApi;

use super::Args;
use super::domain::{Ledger, OtherAmount, is_declined};
use super::faults::{Failures, Fate};
use super::latency::Latency;
use crate::kit::http::{ApiError, Reply, json, order_id as parse_order_id};
use crate::kit::rng;

/// Charges of the ledger that are written at a time: the lock is free in between.
const LEDGER_PAGE: usize = 512;

/// The gateway's state.
#[derive(Debug)]
pub(super) struct Gateway {
    ledger: Mutex<Ledger>,
    rng: Mutex<StdRng>,
    latency: Latency,
    faults: Arc<Failures>,
    decline_rate: f64,
    seed: u64,
}

impl Gateway {
    /// # Errors
    /// When the settings contradict each other.
    pub(super) fn new(args: &Args) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            ledger: Mutex::default(),
            rng: Mutex::new(rng::seeded(args.seed)),
            latency: Latency::new(args.latency_median_ms, args.latency_p99_ms)?,
            faults: Failures::new(args),
            decline_rate: args.decline_rate,
            seed: args.seed,
        }))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn faults(&self) -> &Arc<Failures> {
        &self.faults
    }

    fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> (Fate, Duration) {
        let mut rng = self.rng();
        (self.faults.fate(&mut *rng), self.latency.sample(&mut *rng))
    }

    async fn charge(&self, request: &ChargeRequest) -> Result<Charge, ApiError> {
        let known = self.ledger().request(request).map_err(|OtherAmount(amount)| {
            let details = format!("the order was charged with {amount}: send that amount again");
            ApiError::contradiction("another amount for the same order", details)
        })?;
        if let Some(charge) = known {
            return Ok(charge);
        }
        let (fate, latency) = self.draw();
        // Decided before the time passes: a client that dies waiting has been charged, as with real ones.
        let charge = match fate {
            Fate::Fails { taken: false } | Fate::Silent { taken: false } => None,
            _ => Some(self.decide(request)),
        };
        if matches!(fate, Fate::Silent { .. }) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(latency).await;
        charge.filter(|_| fate == Fate::Answered).ok_or_else(server_error)
    }

    fn decide(&self, request: &ChargeRequest) -> Charge {
        let declined = is_declined(request.order_id, self.seed, self.decline_rate);
        self.ledger().decide(request, declined)
    }

    fn read(&self, order_id: OrderId) -> Result<Charge, ApiError> {
        if self.faults.query_fails(&mut *self.rng()) {
            return Err(ApiError::internal("simulated failure", "ask again"));
        }
        self.ledger().get(order_id).ok_or_else(|| {
            ApiError::not_found("no such charge", format!("nothing was decided about {order_id}"))
        })
    }
}

fn server_error() -> ApiError {
    ApiError::internal("simulated failure", "the charge may or may not exist: repeat the request")
}

pub(super) fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/charges", post(create_charge))
        .route("/charges/{order_id}", get(read_charge))
        .route("/ledger", get(read_ledger))
        .with_state(gateway)
}

/// The gateway's part of `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(create_charge, read_charge, read_ledger))]
pub(crate) struct Api;

#[utoipa::path(
    post,
    path = "/charges",
    tag = "Gateway",
    summary = "Charge an order",
    description = "Takes the money for an order, once however often it is asked for",
    params(("Idempotency-Key" = Uuid, Header, description = "The order's id, as in the body")),
    request_body = ChargeRequest,
    responses(
        (status = 200, description = "The money was taken", body = Charge),
        (status = 400, description = "Not a charge, or its key is not its order", body = ErrorResponse),
        (status = 402, description = "The card was declined", body = Charge),
        (status = 408, description = "The body did not arrive within 5 s", body = ErrorResponse),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorResponse),
        (status = 415, description = "The body is not declared as JSON", body = ErrorResponse),
        (status = 422, description = "The order was charged with another amount", body = ErrorResponse),
        (status = 500, description = "A simulated failure: the charge may or may not exist", body = ErrorResponse),
    ),
)]
async fn create_charge(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Reply<Charge>, ApiError> {
    let key = idempotency_key(request.headers())?;
    let request: ChargeRequest = json(request, "not a charge").await?;
    if key != request.order_id {
        let details = "Idempotency-Key has to be the order_id of the body";
        return Err(ApiError::invalid("key and order differ", details));
    }
    if request.amount.0 <= 0 {
        return Err(ApiError::invalid("amount is not positive", "send an amount above 0"));
    }
    let charge = gateway.charge(&request).await?;
    Ok(match charge.outcome {
        ChargeOutcome::Captured => Reply::Ok(charge),
        ChargeOutcome::Declined => Reply::PaymentRequired(charge),
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<OrderId, ApiError> {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    key.and_then(|key| key.parse().ok()).ok_or_else(|| {
        ApiError::invalid("no Idempotency-Key", "send the order's id in the Idempotency-Key header")
    })
}

#[utoipa::path(
    get,
    path = "/charges/{order_id}",
    tag = "Gateway",
    summary = "Get what became of a charge",
    params(("order_id" = Uuid, Path, description = "Unique order identifier")),
    responses(
        (status = 200, description = "What was decided", body = Charge),
        (status = 400, description = "Not an order id", body = ErrorResponse),
        (status = 404, description = "Nothing was decided about this order", body = ErrorResponse),
    ),
)]
async fn read_charge(
    State(gateway): State<Arc<Gateway>>,
    Path(order_id): Path<String>,
) -> Result<Reply<Charge>, ApiError> {
    gateway.read(parse_order_id(&order_id)?).map(Reply::Ok)
}

/// One charge a line, in the order of deciding.
#[utoipa::path(
    get,
    path = "/ledger",
    tag = "Gateway",
    summary = "Read all charges",
    description = "One charge (schema `Charge`) a line, in the order of deciding",
    responses(
        (status = 200, description = "All charges", body = String, content_type = "application/x-ndjson"),
    ),
)]
async fn read_ledger(State(gateway): State<Arc<Gateway>>) -> Response {
    let pages = stream::unfold(0, move |first| {
        let gateway = Arc::clone(&gateway);
        async move {
            let mut lines = Vec::new();
            let mut next = first;
            for charge in gateway.ledger().page(first, LEDGER_PAGE) {
                // Writing into memory has no way to fail.
                let _ = serde_json::to_writer(&mut lines, &charge);
                lines.push(b'\n');
                next += 1;
            }
            (next > first).then_some((Ok::<_, Infallible>(lines), next))
        }
    });
    let mut response = Body::from_stream(pages).into_response();
    let content_type = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
