//! What the status service says about a sample of the orders after the drain.

use contract::ids::OrderId;
use contract::order::Order;

/// Answers of `GET /status/{order_id}`.
#[derive(Debug, Default)]
pub struct Views {
    /// Whose answers these are: its base URL.
    pub instance: String,
    pub orders: Vec<Order>,
    /// Orders without an answer that we can read, with the reason.
    pub failures: Vec<(OrderId, String)>,
}
