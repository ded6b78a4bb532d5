//! `GET /inventory/{product_id}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use contract::http::InventoryItem;
use contract::ids::ProductId;

use super::view::View;
use crate::kit::health::Health;
use crate::kit::http::{ApiError, Reply};

#[derive(Clone)]
struct Shelf {
    view: Arc<View>,
    health: Arc<Health>,
}

pub(super) fn routes(view: Arc<View>, health: Arc<Health>) -> Router {
    Router::new().route("/inventory/{product_id}", get(item)).with_state(Shelf { view, health })
}

async fn item(
    State(shelf): State<Shelf>,
    Path(product): Path<String>,
) -> Result<Reply<InventoryItem>, ApiError> {
    shelf.health.check_ready()?;
    let product: ProductId =
        product.parse().map_err(|unknown: contract::ids::UnknownProduct| {
            ApiError::not_found("unknown product", unknown.to_string())
        })?;
    Ok(Reply::Ok(shelf.view.item(product)))
}
