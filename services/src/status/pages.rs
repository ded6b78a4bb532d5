//! `GET /status/{id}/events`: an order's events, page by page.

use axum::extract::{Path, Query, State};
use contract::http::ErrorResponse;
use contract::ids::OrderId;
use contract::order::EventPage;
use serde::Deserialize;
use uuid::Uuid;

use super::domain::StoredOrder;
use super::http::Desk;
use super::render::record;
use crate::kit::http::{ApiError, Reply, order_id};

/// Events of one page where nothing is said, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<String>,
    limit: Option<String>,
}

#[utoipa::path(
    get,
    path = "/status/{orderId}/events",
    tag = "Status",
    operation_id = "read_events",
    summary = "Get an order's events, page by page",
    description = "Events in causal order. A list only ever grows at its end, so that `next` stays good.",
    params(
        ("orderId" = Uuid, Path, description = "Unique order identifier"),
        ("after" = Option<Uuid>, Query, description = "The event after which to go on: a page's `next`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Events at most; 20 if not said"),
    ),
    responses(
        (status = 200, description = "A page", body = EventPage),
        (status = 400, description = "Not an order id, no event of this order, or no such limit", body = ErrorResponse),
        (status = 404, description = "Order not found", body = ErrorResponse),
        (status = 429, description = "Too many queries from one client address", body = ErrorResponse),
        (status = 503, description = "The service is starting or stopping, or does not reach its database",
         body = ErrorResponse),
    ),
)]
pub(super) async fn read_events(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Reply<EventPage>, ApiError> {
    desk.health.check_started()?;
    let order_id = order_id(&id)?;
    let Query(wanted) = wanted.map_err(|_| {
        ApiError::invalid("unknown parameters", "a page is asked for by `after` and `limit`")
    })?;
    let limit = limit(wanted.limit.as_deref())?;
    desk.find(order_id, |order| page(order_id, order, wanted.after.as_deref(), limit))
        .await?
        .map(Reply::Ok)
}

fn limit(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid("no such limit", format!("`limit` is a number from 1 to {MAX_LIMIT}"))
    })
}

fn page(
    order_id: OrderId,
    order: &StoredOrder,
    after: Option<&str>,
    limit: usize,
) -> Result<EventPage, ApiError> {
    let id = |index: usize| order_id.event_id(order.events[index].event_type.step());
    let start = match after {
        None => 0,
        Some(text) => {
            let after = Uuid::try_parse(text).ok();
            let found = (0..order.events.len()).find(|index| Some(id(*index)) == after);
            found.map(|index| index + 1).ok_or_else(|| {
                let details = "`after` is the `next` of the page before, an event of this order";
                ApiError::invalid("no event of this order", details)
            })?
        }
    };
    let end = (start + limit).min(order.events.len());
    let events = order.events[start..end].iter().map(|event| record(order_id, event)).collect();
    let next = (end < order.events.len()).then(|| id(end - 1));
    Ok(EventPage { order_id, events, next })
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use contract::events::EventType;

    use super::super::domain::{Orders, event, sample_id};
    use super::*;

    #[test]
    fn pages_follow_one_another_and_end() {
        let mut orders = Orders::default();
        for event_type in
            [EventType::OrderCreated, EventType::InventoryConfirmed, EventType::PaymentCompleted]
        {
            let event = event(event_type);
            orders.fold(&event, "v1", Timestamp::default(), &event.encode());
        }
        let order = orders.get(sample_id()).unwrap();
        let first = page(sample_id(), order, None, 2).unwrap();
        let next = first.next.unwrap().to_string();
        let second = page(sample_id(), order, Some(&next), 2).unwrap();
        assert_eq!((first.events.len(), second.events.len(), second.next), (2, 1, None));
        assert_eq!(second.events[0].event_type, "PaymentCompleted");
        assert!(page(sample_id(), order, Some("nothing"), 2).is_err());
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(limit(None).unwrap(), DEFAULT_LIMIT);
        assert_eq!(limit(Some("100")).unwrap(), 100);
        for wrong in ["0", "101", "-1", "many"] {
            assert!(limit(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
