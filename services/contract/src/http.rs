//! Request, response and error bodies (specification §5.1, §4.1; DESIGN §7), and the gateway's.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrderId, ProductId};
use crate::money::Cents;

/// `POST /order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateOrderRequest {
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub product_id: ProductId,
    /// Quantity to order
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100))]
    pub quantity: u32,
}

/// The answer to `POST /order`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateOrderResponse {
    pub order_id: OrderId,
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub product_id: ProductId,
    pub quantity: u32,
    #[cfg_attr(feature = "openapi", schema(value_type = Taken, inline))]
    pub status: String,
}

/// The one status of an order just taken.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Taken {
    Created,
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorResponse {
    /// What is wrong, in a few words.
    pub error: String,
    /// What to do about it.
    pub details: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
}

/// `GET /inventory/{product_id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InventoryItem {
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub product_id: ProductId,
    /// Pieces in the house, the reserved ones among them.
    pub current_stock: u64,
    pub reserved_stock: u64,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_updated: Timestamp,
}

/// `GET /health` (200 while the process lives) and `GET /ready` (503 unless `status` is `ok`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`, `starting` or `stopping`.
    pub status: String,
    pub service: String,
    pub version: String,
    pub uptime_seconds: u64,
    /// `connected` or `disconnected`; `unused` at the gateway, which knows no Kafka.
    pub kafka: String,
    /// The order service's circuit breaker around publishing: `closed`, `open` or `half_open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<String>,
    /// Orders that wait in the order service's local queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u64>,
    /// Records behind the log, while these are more than the service's limit
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// `connected` or `disconnected`, where the service keeps its state in a database. Without it the
    /// service is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// Request header that makes `POST /order` and the gateway's charge repeatable.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `POST /charges` at the payment gateway, with `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChargeRequest {
    pub order_id: OrderId,
    pub amount: Cents,
}

/// What the gateway did with a charge: 200 when captured, 402 when declined. `GET /charges/{order_id}`
/// answers the same body with 200, or 404 when it never saw the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Charge {
    pub order_id: OrderId,
    pub amount: Cents,
    pub outcome: ChargeOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many requests the gateway saw for this order.
    pub attempts: u32,
    /// How often money was really taken: the audit wants 0 or 1.
    pub captures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ChargeOutcome {
    Captured,
    Declined,
}

/// Rate-limit headers (specification §5.2).
pub mod limit_header {
    pub const LIMIT: &str = "x-ratelimit-limit";
    pub const REMAINING: &str = "x-ratelimit-remaining";
    /// Seconds until the bucket is full again.
    pub const RESET: &str = "x-ratelimit-reset";
}
