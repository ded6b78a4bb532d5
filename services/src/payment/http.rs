//! The management routes of parked payments.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::routing::{get, post};
use contract::http::ErrorResponse;
use contract::management::{
    GatewayAnswer, ParkedPayments, Resolution, ResolvePayment, ResolvedPayment,
};
use utoipa::OpenApi;

use super::desk::{Desk, Refusal};
use crate::kit::http::{ApiError, Reply, Wanted, json, order_id};

/// Characters of a reason: it becomes part of an event.
const MAX_REASON: usize = 200;

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/payments/parked", get(parked_payments))
        .route("/payments/parked/{order_id}/resolve", post(resolve_payment))
        .with_state(desk)
}

/// The payment service's part of `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(parked_payments, resolve_payment))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/payments/parked",
    tag = "Operations",
    summary = "List payments whose outcome is unknown",
    description = "Those of this instance, by order id",
    params(
        ("after" = Option<Uuid>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
         description = "Payments of one page; 100 where nothing is said"),
    ),
    responses(
        (status = 200, description = "One page of them", body = ParkedPayments),
        (status = 400, description = "Not a page", body = ErrorResponse),
    ),
)]
async fn parked_payments(
    State(desk): State<Arc<Desk>>,
    Query(wanted): Query<Wanted>,
) -> Result<Reply<ParkedPayments>, ApiError> {
    let page = wanted.page(order_id)?;
    let (parked, payments) = desk.page(page.after, page.look_up());
    let (payments, next) = page.cut(payments, |last| last.order_id);
    Ok(Reply::Ok(ParkedPayments { parked, payments, next }))
}

#[utoipa::path(
    post,
    path = "/payments/parked/{order_id}/resolve",
    tag = "Operations",
    summary = "Resolve a payment whose outcome is unknown",
    description = "Asks the gateway once more, or says how the payment ended when the gateway does not",
    params(("order_id" = Uuid, Path, description = "The order whose payment is parked")),
    request_body = ResolvePayment,
    responses(
        (status = 200, description = "Settled, or still unknown", body = ResolvedPayment),
        (status = 400, description = "Not an order id, not a resolution, or one without a reason", body = ErrorResponse),
        (status = 404, description = "No such payment is parked here", body = ErrorResponse),
        (status = 408, description = "The body did not arrive within 5 s", body = ErrorResponse),
        (status = 409, description = "The gateway definitely says otherwise, or it is being settled", body = ErrorResponse),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorResponse),
        (status = 415, description = "The body is not declared as JSON", body = ErrorResponse),
    ),
)]
async fn resolve_payment(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Reply<ResolvedPayment>, ApiError> {
    let order_id = order_id(&id)?;
    let ResolvePayment { outcome, reason } = json(request, "not a resolution").await?;
    let reason = checked(outcome, reason)?;
    let (last_answer, event_type) =
        desk.resolve(order_id, outcome, &reason).await.map_err(|refusal| told(&refusal))?;
    let settled = event_type.is_some();
    Ok(Reply::Ok(ResolvedPayment { order_id, settled, event_type, last_answer }))
}

/// Who decides by hand says why: the reason of a failed payment is told to the buyer, the other is logged.
fn checked(outcome: Resolution, reason: Option<String>) -> Result<String, ApiError> {
    let reason = reason.unwrap_or_default().trim().to_owned();
    if reason.is_empty() && outcome != Resolution::Query {
        let details = "say in `reason` who decided so, and why";
        return Err(ApiError::invalid("reason missing", details));
    }
    if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        let details = format!("send at most {MAX_REASON} printable characters");
        return Err(ApiError::invalid("reason is not usable", details));
    }
    Ok(reason)
}

fn told(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::NotParked => ApiError::not_found(
            "payment not parked",
            "it has ended, is still being charged, or belongs to another instance: see GET /payments/parked",
        ),
        Refusal::Settling => ApiError::conflict(
            "payment is being settled",
            "how it ended is known and on its way into the log",
        ),
        Refusal::Contradicted(answer) => ApiError::conflict(
            "the gateway says otherwise",
            match answer {
                GatewayAnswer::Captured => "it has taken the money: resolve with \"query\"",
                GatewayAnswer::Declined => "it has declined the charge: resolve with \"query\"",
                _ => "it knows of no such charge: resolve with \"query\"",
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_by_hand_needs_a_reason_that_fits_an_event() {
        let reason = |text: &str| Some(text.to_owned());
        assert_eq!(checked(Resolution::Query, None), Ok(String::new()));
        assert_eq!(checked(Resolution::Captured, reason(" bank ")), Ok("bank".to_owned()));
        for wrong in [None, reason("  "), reason("a\nb"), reason(&"x".repeat(MAX_REASON + 1))] {
            assert!(checked(Resolution::NotCharged, wrong).is_err());
        }
    }
}
