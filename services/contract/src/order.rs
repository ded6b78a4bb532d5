//! The order as the status service shows it (specification §4.1).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::ids::{OrderId, ProductId};
use crate::money::Cents;

/// Where an order stands. Never moves backwards (DESIGN §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OrderStatus {
    Created,
    InventoryConfirmed,
    PaymentCompleted,
    NotificationSent,
    Shipped,
    InventoryRejected,
    PaymentFailed,
}

/// One event of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRecord {
    pub event_id: Uuid,
    pub event_type: String,
    /// The record's value as it stands in the log: JSON in a string.
    pub data: String,
    /// The record's `timestamp` header.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
    pub version: String,
}

/// `GET /status/{order_id}/events`: a part of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventPage {
    pub order_id: OrderId,
    /// In causal order.
    pub events: Vec<EventRecord>,
    /// Asked for as `after`, it brings the page after this one; the last page has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub next: Option<Uuid>,
}

/// An order with its whole history, in causal order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    pub order_id: OrderId,
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub product_id: ProductId,
    pub quantity: u32,
    pub status: OrderStatus,
    pub events: Vec<EventRecord>,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_updated: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// On the wire dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_amount: Option<Cents>,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}
