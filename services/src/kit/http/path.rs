//! Reading an order's id from where a client wrote it.

use contract::ids::OrderId;

use super::ApiError;

/// # Errors
/// 400 for what is no id.
pub(crate) fn order_id(text: &str) -> Result<OrderId, ApiError> {
    text.parse().map_err(|_| {
        let details = "order ids are UUIDs like 3fa85f64-5717-4562-b3fc-2c963f66afa6";
        ApiError::invalid("not an order id", details)
    })
}
