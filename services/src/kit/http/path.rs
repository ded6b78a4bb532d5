//! Reading an order's id from where a client wrote it.

use contract::ids::OrderId;

use super::ApiError;

/// # Errors
/// 400 for what is no id.
pub(crate) fn order_id(text: &str) -> Result<OrderId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("not an order id", "order ids are UUIDs"))
}
