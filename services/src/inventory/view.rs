//! The stock as the outside sees it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Timestamp;
use contract::http::InventoryItem;
use contract::ids::ProductId;

use super::ledger::Ledger;

/// The ledger that is shown, and when each product last changed.
pub(super) struct View {
    shown: Mutex<Arc<Ledger>>,
    /// Microseconds since 1970.
    updated: [AtomicI64; ProductId::ALL.len()],
}

impl View {
    pub(super) fn new(ledger: Arc<Ledger>, now: Timestamp) -> Self {
        let updated = ProductId::ALL.map(|_| AtomicI64::new(now.timestamp_micros()));
        Self { shown: Mutex::new(ledger), updated }
    }

    /// Shows `ledger` from now on: one that has caught up takes the place of the one before.
    pub(super) fn show(&self, ledger: Arc<Ledger>) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = ledger;
    }

    /// An event of `product` happened `at`.
    pub(super) fn touch(&self, product: ProductId, at: Timestamp) {
        self.updated[product as usize].fetch_max(at.timestamp_micros(), Ordering::Relaxed);
    }

    pub(super) fn item(&self, product: ProductId) -> InventoryItem {
        let ledger = Arc::clone(&self.shown.lock().unwrap_or_else(PoisonError::into_inner));
        let levels = ledger.levels(product);
        let updated = self.updated[product as usize].load(Ordering::Relaxed);
        InventoryItem {
            product_id: product,
            current_stock: u64::try_from(levels.current).unwrap_or(0),
            reserved_stock: u64::try_from(levels.current - levels.available).unwrap_or(0),
            last_updated: Timestamp::from_timestamp_micros(updated).unwrap_or_default(),
        }
    }
}
