//! `GET /inventory/{product_id}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use contract::http::{ErrorResponse, InventoryItem};
use contract::ids::ProductId;
use utoipa::OpenApi;

use super::postgres;
use super::view::View;
use crate::kit::health::Health;
use crate::kit::http::{ApiError, Reply};

/// Where the levels are.
#[derive(Clone)]
pub(super) enum Shelf {
    Memory(Arc<View>),
    Table(Arc<postgres::Shelf>),
}

#[derive(Clone)]
struct Desk {
    shelf: Shelf,
    health: Arc<Health>,
}

pub(super) fn routes(shelf: Shelf, health: Arc<Health>) -> Router {
    Router::new().route("/inventory/{product_id}", get(item)).with_state(Desk { shelf, health })
}

/// This service's part of `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(item))]
pub(crate) struct Api;

#[utoipa::path(
    get,
    path = "/inventory/{product_id}",
    tag = "Inventory",
    operation_id = "read_inventory",
    summary = "Get stock level",
    description = "What there is of a product, and how much of it is reserved",
    params(("product_id" = inline(ProductId), Path, description = "Product identifier")),
    responses(
        (status = 200, description = "Stock level", body = InventoryItem, example = json!({
            "product_id": "product-1",
            "current_stock": 998,
            "reserved_stock": 2,
            "last_updated": "2026-01-02T03:04:05.678901Z",
        })),
        (status = 400, description = "The path is not UTF-8", body = ErrorResponse),
        (status = 404, description = "No such product", body = ErrorResponse),
        (status = 503, description = "The service is starting or stopping, or does not reach its database", body = ErrorResponse),
    ),
)]
async fn item(
    State(desk): State<Desk>,
    Path(product): Path<String>,
) -> Result<Reply<InventoryItem>, ApiError> {
    desk.health.check_started()?;
    let product: ProductId =
        product.parse().map_err(|unknown: contract::ids::UnknownProduct| {
            ApiError::not_found("unknown product", unknown.to_string())
        })?;
    match &desk.shelf {
        Shelf::Memory(view) => Ok(Reply::Ok(view.item(product))),
        Shelf::Table(shelf) => Ok(Reply::Ok(shelf.item(product).await?)),
    }
}
