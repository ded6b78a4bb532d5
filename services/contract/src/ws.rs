//! The WebSocket envelope (specification §6.2, with DESIGN §4's `order_id` on top).

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The `type` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MessageType {
    OrderUpdate,
    Error,
    Ping,
    Pong,
}

/// A message in either direction. `data` is an [`crate::order::Order`] in an `order_update` and an
/// [`ErrorData`] in an `error`; pings and pongs have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(description = "A message of a WebSocket; pings and pongs have no data")
)]
pub struct Message<T> {
    #[serde(rename = "type")]
    pub message_type: MessageType,
    /// The id that stands in the socket's path, whether or not it is a UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
    /// Where in its trace the newest event stands (W3C Trace Context), when it was traced and came while
    /// somebody watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub data: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// The `data` of an `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorData {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// `code` for an order without an event for [`NOT_FOUND_AFTER_MS`]; the socket goes on waiting.
pub const ORDER_NOT_FOUND: &str = "order_not_found";
pub const NOT_FOUND_AFTER_MS: u64 = 5_000;

/// The longest id that a socket's path may name.
pub const MAX_ID_LENGTH: usize = 64;

/// Close codes (RFC 6455 §7.4.1).
pub mod close_code {
    pub const NORMAL: u16 = 1000;
    pub const GOING_AWAY: u16 = 1001;
    pub const PROTOCOL_ERROR: u16 = 1002;
    pub const POLICY: u16 = 1008;
    pub const TOO_LARGE: u16 = 1009;
    /// The client reads too slowly; the newest state waits for it on a new socket.
    pub const TRY_AGAIN_LATER: u16 = 1013;
}
