//! One order's standing with the inventory, and what it means for the levels. Pure.

use contract::events::{Event, EventType};
use contract::ids::ProductId;

use super::stock::Change;

/// What is known of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) product: ProductId,
    pub(super) quantity: u8,
    pub(super) inventory: Inventory,
    pub(super) payment: Payment,
    pub(super) released: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inventory {
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
pub(super) enum Payment {
    Open,
    Completed,
    Failed,
}

/// What a record of the log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The first record of its step.
    First,
    /// The first of its step, and another outcome than the one decided here, which is undone.
    Overruled,
    /// The step was taken before.
    Later,
}

impl Standing {
    /// An order of which `event` is the first that is heard.
    pub(super) fn of(event: &Event) -> Self {
        Self::open(event.product_id(), u8::try_from(event.quantity()).unwrap_or(0))
    }

    pub(super) const fn open(product: ProductId, quantity: u8) -> Self {
        let (inventory, payment) = (Inventory::Open, Payment::Open);
        Self { product, quantity, inventory, payment, released: false }
    }

    /// How the levels differ from a shop without this order: reserved when confirmed, gone when paid,
    /// as if nothing had been when released.
    pub(super) fn change(&self) -> Change {
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

    /// Takes in a record of `inventory` or `payment`. Other records change nothing.
    pub(super) fn apply(&mut self, event: &Event) -> Applied {
        match event.event_type() {
            EventType::InventoryConfirmed => self.log_outcome(event, true),
            EventType::InventoryRejected => self.log_outcome(event, false),
            EventType::InventoryReleased if self.released => Applied::Later,
            EventType::InventoryReleased => {
                self.released = true;
                Applied::First
            }
            EventType::PaymentCompleted => self.log_payment(Payment::Completed),
            EventType::PaymentFailed => self.log_payment(Payment::Failed),
            EventType::OrderCreated | EventType::Shipped | EventType::NotificationSent => {
                Applied::Later
            }
        }
    }

    fn log_outcome(&mut self, event: &Event, confirmed: bool) -> Applied {
        let applied = match self.inventory {
            Inventory::Logged { .. } => return Applied::Later,
            Inventory::Decided { confirmed: decided } if decided != confirmed => Applied::Overruled,
            Inventory::Open | Inventory::Decided { .. } => Applied::First,
        };
        let logged = Self::of(event);
        (self.product, self.quantity) = (logged.product, logged.quantity);
        self.inventory = Inventory::Logged { confirmed };
        applied
    }

    fn log_payment(&mut self, payment: Payment) -> Applied {
        if self.payment != Payment::Open {
            return Applied::Later;
        }
        self.payment = payment;
        Applied::First
    }
}
