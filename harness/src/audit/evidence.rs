//! Everything that the checks may look at.

use std::collections::BTreeMap;

use contract::ids::ProductId;

use super::committed::Commits;
use super::journal::Journal;
use super::ledger::Ledger;
use super::model::Model;
use super::stock::Shelf;
use super::tables::Tables;
use super::view::Views;

/// What was gathered. A source that the phase does not have by design is `None`, and the checks that
/// need it are not listed; a source that it has but that is empty makes them fail.
#[derive(Debug, Default)]
pub struct Evidence {
    pub model: Model,
    /// What the clients sent and were told.
    pub journal: Option<Journal>,
    /// What the payment gateway did.
    pub ledger: Option<Ledger>,
    /// Pieces of each product at the beginning.
    pub initial_stock: Option<BTreeMap<ProductId, u64>>,
    /// What each instance's `GET /inventory/{product_id}` says after the drain.
    pub shelves: Vec<Shelf>,
    /// What each instance's `GET /status/{order_id}` says after the drain.
    pub views: Vec<Views>,
    /// What the shop's groups have committed after the drain.
    pub commits: Option<Commits>,
    /// What stands in the tables after the drain, where there are some.
    pub tables: Option<Tables>,
    /// The clients watched their orders through WebSockets.
    pub sockets_expected: bool,
    /// Nobody else places orders there: one that none of our clients asked for is a phantom.
    pub sole_clients: bool,
    /// No process died or was killed, so no decision can have been taken twice.
    pub undisturbed: bool,
}
