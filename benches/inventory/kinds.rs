//! The ways to keep stock that are measured: the service's, and the specification's lock around a map (§2.2).

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use contract::ids::{OrderId, ProductId};
use services::inventory::ledger::{Ledger, Reservation};
use services::inventory::stock::Stock;

/// One way to keep stock.
pub(crate) trait Inventory: Sync {
    fn new(pieces: u32) -> Self;
    fn reserve(&self, order: OrderId, product: ProductId) -> bool;
}

/// The specification's: one lock, one map by name.
pub(crate) struct LockedMap(Mutex<HashMap<String, i64>>);

impl Inventory for LockedMap {
    fn new(pieces: u32) -> Self {
        let stock = ProductId::ALL.map(|product| (product.to_string(), i64::from(pieces)));
        Self(Mutex::new(stock.into_iter().collect()))
    }

    fn reserve(&self, _: OrderId, product: ProductId) -> bool {
        let mut stock = self.0.lock().expect("no thread panics");
        take(&mut stock, product)
    }
}

/// The specification's lock, with the same check that no order is decided twice.
pub(crate) struct LockedMapIdempotent(Mutex<(HashMap<String, i64>, HashSet<OrderId>)>);

impl Inventory for LockedMapIdempotent {
    fn new(pieces: u32) -> Self {
        let stock = ProductId::ALL.map(|product| (product.to_string(), i64::from(pieces)));
        Self(Mutex::new((stock.into_iter().collect(), HashSet::new())))
    }

    fn reserve(&self, order: OrderId, product: ProductId) -> bool {
        let mut guard = self.0.lock().expect("no thread panics");
        let (stock, decided) = &mut *guard;
        decided.insert(order) && take(stock, product)
    }
}

fn take(stock: &mut HashMap<String, i64>, product: ProductId) -> bool {
    match stock.get_mut(product.as_str()) {
        Some(pieces) if *pieces >= 1 => {
            *pieces -= 1;
            true
        }
        _ => false,
    }
}

impl Inventory for Stock {
    fn new(pieces: u32) -> Self {
        Self::new(|_| pieces)
    }

    fn reserve(&self, _: OrderId, product: ProductId) -> bool {
        Self::reserve(self, product, 1)
    }
}

impl Inventory for Ledger {
    fn new(pieces: u32) -> Self {
        Self::new(Stock::new(|_| pieces))
    }

    fn reserve(&self, order: OrderId, product: ProductId) -> bool {
        Self::reserve(self, order, product, 1) == Reservation::Reserved
    }
}
