//! Which order has what: every order's standing, and through it the stock.
//!
//! Levels are a sum over orders, so it does not matter in which order the topics are folded.

use std::sync::{Mutex, PoisonError};

use contract::events::{Event, EventType};
use contract::ids::{OrderId, ProductId};

use super::stock::{Change, Levels, Stock};
use crate::kit::first_wins::ByOrder;

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

/// What a record of the log did to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The first record of its step.
    First,
    /// The first of its step, and another outcome than the one decided here, which is undone.
    Overruled,
    /// The step was taken before.
    Later,
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
struct Shard(Mutex<ByOrder<Standing>>);

#[derive(Debug, Clone, Copy)]
struct Standing {
    product: ProductId,
    quantity: u8,
    inventory: Inventory,
    payment: Payment,
    released: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inventory {
    Open,
    /// Decided here, and not yet read back from the log.
    Decided {
        confirmed: bool,
    },
    /// What the log says: the truth.
    Logged {
        confirmed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payment {
    Open,
    Completed,
    Failed,
}

impl Standing {
    const fn open(product: ProductId, quantity: u8) -> Self {
        let (inventory, payment) = (Inventory::Open, Payment::Open);
        Self { product, quantity, inventory, payment, released: false }
    }

    /// How the levels differ from a shop without this order: reserved when confirmed, gone when paid,
    /// as if nothing had been when released.
    fn change(&self) -> Change {
        let quantity = i64::from(self.quantity);
        let confirmed = match self.inventory {
            Inventory::Open => false,
            Inventory::Decided { confirmed } | Inventory::Logged { confirmed } => confirmed,
        };
        match (confirmed, self.payment) {
            (false, _) => Change::default(),
            (true, Payment::Completed) => Change { current: -quantity, available: -quantity },
            (true, _) if self.released => Change::default(),
            (true, _) => Change { current: 0, available: -quantity },
        }
    }
}

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
        let standing = orders.entry(order).or_insert_with(|| Standing::open(product, quantity));
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
        let (product, quantity) = (event.product_id(), u8::try_from(event.quantity()).unwrap_or(0));
        let mut orders = self.shard(event.order_id());
        let standing =
            orders.entry(event.order_id()).or_insert_with(|| Standing::open(product, quantity));
        let (old_product, before) = (standing.product, standing.change());
        let applied = match event.event_type() {
            EventType::InventoryConfirmed => log_outcome(standing, product, quantity, true),
            EventType::InventoryRejected => log_outcome(standing, product, quantity, false),
            EventType::InventoryReleased => log_release(standing),
            EventType::PaymentCompleted => log_payment(standing, Payment::Completed),
            EventType::PaymentFailed => log_payment(standing, Payment::Failed),
            EventType::OrderCreated | EventType::Shipped | EventType::NotificationSent => {
                Applied::Later
            }
        };
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

    fn shard(&self, order: OrderId) -> std::sync::MutexGuard<'_, ByOrder<Standing>> {
        // Any byte of a random id will do, but not those that the map inside hashes to its buckets by.
        let index = usize::from(order.0.as_bytes()[15]) % SHARDS;
        self.shards[index].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn difference(before: Change, after: Change) -> Change {
    Change {
        current: after.current - before.current,
        available: after.available - before.available,
    }
}

fn log_outcome(
    standing: &mut Standing,
    product: ProductId,
    quantity: u8,
    confirmed: bool,
) -> Applied {
    let applied = match standing.inventory {
        Inventory::Logged { .. } => return Applied::Later,
        Inventory::Decided { confirmed: decided } if decided != confirmed => Applied::Overruled,
        Inventory::Open | Inventory::Decided { .. } => Applied::First,
    };
    (standing.product, standing.quantity) = (product, quantity);
    standing.inventory = Inventory::Logged { confirmed };
    applied
}

fn log_release(standing: &mut Standing) -> Applied {
    if std::mem::replace(&mut standing.released, true) { Applied::Later } else { Applied::First }
}

fn log_payment(standing: &mut Standing, payment: Payment) -> Applied {
    if standing.payment != Payment::Open {
        return Applied::Later;
    }
    standing.payment = payment;
    Applied::First
}
