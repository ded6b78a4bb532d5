//! Bodies of the management endpoints, which are served on loopback only.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::OrderId;
use crate::money::Cents;
use crate::order::OrderStatus;
use crate::topics::Step;

/// `GET /payments/parked`: payments of this instance whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedPayments {
    /// In all, this page or not.
    pub parked: usize,
    /// By order id.
    pub payments: Vec<ParkedPayment>,
    /// The `after` of the next page; none on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<OrderId>,
}

/// One payment whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedPayment {
    pub order_id: OrderId,
    pub amount: Cents,
    /// When the order was confirmed: the buyer has waited since.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// Requests to the gateway by this process.
    pub attempts: u32,
    pub last_answer: GatewayAnswer,
    /// How it ended is known and on its way into the log.
    pub settling: bool,
}

/// What the gateway last said about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GatewayAnswer {
    /// This process has not asked yet.
    NotAsked,
    Captured,
    Declined,
    /// It knows of no charge. Believed when no charge can be on its way any more.
    NotFound,
    /// It answered with an error.
    Error,
    /// It did not answer in time.
    Silent,
    /// It could not be reached.
    Unreachable,
}

/// `POST /payments/parked/{order_id}/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ResolvePayment {
    pub outcome: Resolution,
    /// Who says so, and why: wanted unless the gateway is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a payment is resolved by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The money was taken: `PaymentCompleted`.
    Captured,
    /// The money was not taken: `PaymentFailed`.
    NotCharged,
    /// Ask the gateway once more, now.
    Query,
}

/// The answer to [`ResolvePayment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolvedPayment {
    pub order_id: OrderId,
    /// Whether the log now says how the payment ended; if not, it stays parked.
    pub settled: bool,
    /// The event's type, when settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<crate::events::EventType>,
    pub last_answer: GatewayAnswer,
}

/// `GET /orders/stuck`: orders that have not ended in time (specification §4.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StuckOrders {
    /// In all, this page or not.
    pub stuck: usize,
    /// How old an order is that counts as stuck.
    pub after_seconds: u64,
    /// The oldest first.
    pub orders: Vec<StuckOrder>,
    /// The `after` of the next page; none on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One order that has not ended in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StuckOrder {
    pub order_id: OrderId,
    pub status: OrderStatus,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    pub age_seconds: u64,
    /// Steps that nobody has taken yet and that could be taken now.
    pub waits_for: Vec<Step>,
}

/// `GET` and `POST /faults` at the gateway, which changes the rates that are named.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Share of new charges answered with a server error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// Share of new charges that are never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_rate: Option<f64>,
    /// Share of questions about charges answered with a server error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_error_rate: Option<f64>,
}
