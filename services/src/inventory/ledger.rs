//! Which order has what: every order's standing, and through it the stock.
//!
//! Levels are a sum over orders, so it does not matter in which order the topics are folded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use contract::events::Event;
use contract::ids::{OrderId, ProductId};
use contract::topics::Step;

pub use super::standing::Applied;
use super::standing::{Inventory, Payment, Standing};
use super::stock::{Change, Levels, Stock};
use crate::kit::first_wins::ByOrder;
use crate::kit::snapshot::book::{Entry, Lent};
use crate::kit::snapshot::lendable::Lendable;
use crate::kit::snapshot::state::{StepSet, Undone};

/// Orders of different shards never wait for each other.
const SHARDS: usize = 64;

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    Reserved,
    SoldOut,
    /// This order has been decided before.
    Known,
}

/// Every order's standing.
#[derive(Debug)]
pub struct Ledger {
    shards: Vec<Shard>,
    stock: Stock,
}

/// On a cache line of its own (two, for processors that fetch pairs of them).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Lendable<ByOrder<Standing>>>);

impl Ledger {
    /// A ledger without orders.
    #[must_use]
    pub fn new(stock: Stock) -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        Self { shards, stock }
    }

    /// Decides about an order: reserves its pieces, unless it has been decided before.
    pub fn reserve(&self, order: OrderId, product: ProductId, quantity: u8) -> Reservation {
        let mut orders = self.shard(order);
        let standing =
            orders.get_mut().entry(order).or_insert_with(|| Standing::open(product, quantity));
        if standing.inventory != Inventory::Open {
            return Reservation::Known;
        }
        // A payment read before its confirmation has told product and quantity already.
        let confirmed = self.stock.reserve(standing.product, u32::from(standing.quantity));
        standing.inventory = Inventory::Decided { confirmed };
        if confirmed {
            // The reservation itself is done; the rest is what was known of the order already.
            let taken = Change { current: 0, available: -i64::from(standing.quantity) };
            self.correct(standing.product, taken, standing.change());
            Reservation::Reserved
        } else {
            Reservation::SoldOut
        }
    }

    /// Takes in a record of `inventory` or `payment`. Other records change nothing.
    pub fn apply(&self, event: &Event) -> Applied {
        let mut orders = self.shard(event.order_id());
        let standing = orders.get_mut().entry(event.order_id());
        let standing = standing.or_insert_with(|| Standing::of(event));
        let (old_product, before) = (standing.product, standing.change());
        let applied = standing.apply(event);
        let after = standing.change();
        if old_product == standing.product {
            self.correct(old_product, before, after);
        } else {
            self.correct(old_product, before, Change::default());
            self.correct(standing.product, Change::default(), after);
        }
        applied
    }

    /// Whether the log says that the order's pieces were given back.
    #[must_use]
    pub fn is_released(&self, order: OrderId) -> bool {
        self.shard(order).get(&order).is_some_and(|standing| standing.released)
    }

    /// What was decided about the order.
    #[cfg(test)]
    pub(super) fn confirmed(&self, order: OrderId) -> Option<bool> {
        match self.shard(order).get(&order)?.inventory {
            Inventory::Open => None,
            Inventory::Decided { confirmed } | Inventory::Logged { confirmed } => Some(confirmed),
        }
    }

    /// Whether the log says that the order has taken `step`.
    pub(crate) fn has_taken(&self, order: OrderId, step: Step) -> bool {
        self.shard(order).get(&order).is_some_and(|standing| match step {
            Step::Inventory => matches!(standing.inventory, Inventory::Logged { .. }),
            Step::Payment => standing.payment != Payment::Open,
            Step::Release => standing.released,
            Step::Created | Step::Shipping | Step::Notification => false,
        })
    }

    /// Every order's standing as it is now.
    pub(crate) fn lend(&self, undone: Undone) -> Lent<impl Entry> {
        let shards = self.shards.iter().map(|shard| lock(shard).lend());
        Lent { shards: shards.collect(), undone }
    }

    /// Puts back an order as it was lent. False when the bytes are no standing.
    pub(crate) fn restore(&self, order: OrderId, bytes: &[u8]) -> bool {
        let Some(standing) = Standing::decode(bytes) else { return false };
        let before = self.shard(order).get_mut().insert(order, standing);
        if let Some(before) = before {
            self.correct(before.product, before.change(), Change::default());
        }
        self.correct(standing.product, Change::default(), standing.change());
        true
    }

    /// Makes room for so many orders.
    pub(crate) fn expect(&self, orders: usize) {
        // Random ids are not spread quite evenly.
        let each = orders / SHARDS + orders / SHARDS / 16;
        self.shards.iter().for_each(|shard| lock(shard).get_mut().reserve(each));
    }

    #[must_use]
    pub fn levels(&self, product: ProductId) -> Levels {
        self.stock.levels(product)
    }

    fn correct(&self, product: ProductId, before: Change, after: Change) {
        let change = difference(before, after);
        if change != Change::default() {
            self.stock.apply(product, change);
        }
    }

    fn shard(&self, order: OrderId) -> MutexGuard<'_, Lendable<ByOrder<Standing>>> {
        // Any byte of a random id will do, but not those that the map inside hashes to its buckets by.
        let index = usize::from(order.0.as_bytes()[15]) % SHARDS;
        lock(&self.shards[index])
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, Lendable<ByOrder<Standing>>> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Three bytes: product, quantity, and these bits. A decision that the log does not have is none.
impl Entry for Standing {
    fn encode(&self, undone: StepSet, out: &mut Vec<u8>) {
        let inventory = match self.inventory {
            Inventory::Open | Inventory::Decided { .. } => 0,
            Inventory::Logged { confirmed: true } => 1,
            Inventory::Logged { confirmed: false } => 2,
        };
        let payment = match self.payment {
            _ if undone.contains(Step::Payment) => 0,
            Payment::Open => 0,
            Payment::Completed => 1,
            Payment::Failed => 2,
        };
        let bits = inventory | payment << 2 | u8::from(self.released) << 4;
        if bits != 0 {
            out.extend([self.product as u8, self.quantity, bits]);
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let &[product, quantity, bits] = bytes else { return None };
        let product = ProductId::ALL.get(usize::from(product)).copied()?;
        let inventory = match bits & 0b11 {
            0 => Inventory::Open,
            1 => Inventory::Logged { confirmed: true },
            2 => Inventory::Logged { confirmed: false },
            _ => return None,
        };
        let payment = match bits >> 2 & 0b11 {
            0 => Payment::Open,
            1 => Payment::Completed,
            2 => Payment::Failed,
            _ => return None,
        };
        Some(Self { product, quantity, inventory, payment, released: bits & 1 << 4 != 0 })
    }
}

const fn difference(before: Change, after: Change) -> Change {
    Change {
        current: after.current - before.current,
        available: after.available - before.available,
    }
}
