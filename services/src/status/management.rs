//! `GET /orders/stuck`, and the look for stuck orders once a second.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use chrono::TimeDelta;
use contract::Timestamp;
use contract::http::ErrorResponse;
use contract::management::{StuckOrder, StuckOrders};
use utoipa::OpenApi;

use super::stuck::{Look, Place, cursor, place};
use super::view::{SharedView, View};
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::{ApiError, Reply, Wanted};
use crate::kit::metrics::{ORDERS_GOT_STUCK, ORDERS_OPEN, ORDERS_STUCK};

/// How often it is looked for stuck orders.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the routes and the look need.
#[derive(Clone)]
pub(super) struct Overseer {
    pub(super) view: Arc<SharedView>,
    pub(super) health: Arc<Health>,
    pub(super) clock: Clock,
    /// How old an order is that counts as stuck.
    pub(super) after: Duration,
}

impl Overseer {
    /// Looks for as long as the process lives.
    pub(super) async fn watch(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // While the log is being read, every order looks old.
            if self.health.is_ready() {
                self.look();
            }
        }
    }

    fn look(&self) {
        let Look { open, stuck, newly } =
            self.view.lock().open.look(self.clock.now(), self.after());
        ORDERS_OPEN.set(count(open));
        ORDERS_STUCK.set(count(stuck));
        if newly > 0 {
            ORDERS_GOT_STUCK.add_to(&[], newly as u64);
            tracing::warn!(newly, stuck, "orders have not ended in time: see GET /orders/stuck");
        }
    }

    fn after(&self) -> TimeDelta {
        TimeDelta::from_std(self.after).unwrap_or(TimeDelta::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 orders")]
const fn count(orders: usize) -> f64 {
    orders as f64
}

pub(super) fn routes(overseer: Overseer) -> Router {
    Router::new().route("/orders/stuck", get(stuck_orders)).with_state(overseer)
}

/// What this service adds to `/openapi.json` for management.
#[derive(OpenApi)]
#[openapi(paths(stuck_orders))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/orders/stuck",
    tag = "Operations",
    summary = "List orders that have not ended in time",
    description = "The oldest first, each with the steps that it waits for",
    params(
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000,
         description = "Orders of one page; 100 where nothing is said"),
    ),
    responses(
        (status = 200, description = "One page of them", body = StuckOrders),
        (status = 400, description = "Not a page", body = ErrorResponse),
        (status = 503, description = "The service is starting or stopping", body = ErrorResponse),
    ),
)]
async fn stuck_orders(
    State(overseer): State<Overseer>,
    Query(wanted): Query<Wanted>,
) -> Result<Reply<StuckOrders>, ApiError> {
    overseer.health.check_ready()?;
    let page = wanted.page(|after| {
        let details = "send the `next` of the page before";
        place(after).ok_or_else(|| ApiError::invalid("after is not usable", details))
    })?;
    overseer.look();
    let (view, now) = (overseer.view.lock(), overseer.clock.now());
    let (places, next) = page.cut(view.open.page(page.after, page.look_up()), |last| *last);
    Ok(Reply::Ok(StuckOrders {
        stuck: view.open.stuck(),
        after_seconds: overseer.after.as_secs(),
        next: next.map(cursor),
        orders: places.iter().filter_map(|place| shown(&view, *place, now)).collect(),
    }))
}

fn shown(view: &View, (created_at, order_id): Place, now: Timestamp) -> Option<StuckOrder> {
    let order = view.order(order_id)?;
    Some(StuckOrder {
        order_id,
        status: order.status,
        created_at,
        age_seconds: (now - created_at).to_std().unwrap_or_default().as_secs(),
        waits_for: order.waits_for(),
    })
}
