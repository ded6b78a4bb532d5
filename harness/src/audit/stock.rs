//! What the inventory service says is on the shelf.

use std::collections::BTreeMap;

use contract::http::InventoryItem;
use contract::ids::ProductId;

/// Answers of `GET /inventory/{product_id}`.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Whose answers these are: its base URL.
    pub instance: String,
    pub items: BTreeMap<ProductId, InventoryItem>,
    /// Products without an answer that we can read, with the reason.
    pub failures: Vec<(ProductId, String)>,
}
