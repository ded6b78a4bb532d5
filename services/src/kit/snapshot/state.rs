//! What a state must offer to be kept, restored and compared.

use std::io;
use std::sync::Arc;

use contract::ids::OrderId;
use contract::topics::Step;

use crate::kit::first_wins::ByOrder;
use crate::kit::log::Received;

/// What belongs together in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unit {
    /// All partitions.
    Whole,
    /// One partition of every topic: instances hand these over to each other.
    Partition(i32),
}

impl Unit {
    /// Whether records of `partition` belong to it.
    pub(crate) const fn holds(self, partition: i32) -> bool {
        match self {
            Self::Whole => true,
            Self::Partition(own) => own == partition,
        }
    }
}

/// How a state is divided into units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Units {
    Whole,
    PerPartition,
}

impl Units {
    /// The unit that records of `partition` belong to.
    pub(crate) const fn of(self, partition: i32) -> Unit {
        match self {
            Self::Whole => Unit::Whole,
            Self::PerPartition => Unit::Partition(partition),
        }
    }
}

/// Steps that a state has taken and a snapshot of it must not contain: a bit for each [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StepSet(u8);

impl StepSet {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn insert(&mut self, step: Step) {
        self.0 |= 1 << step as u8;
    }

    pub(crate) const fn contains(self, step: Step) -> bool {
        self.0 & 1 << step as u8 != 0
    }
}

/// Steps by order that are left out.
pub(crate) type Undone = ByOrder<StepSet>;

/// State that is a fold of the log, order by order.
pub(crate) trait State: Send {
    fn units(&self) -> Units;
    /// Takes in a record of history.
    fn fold(&mut self, record: &Received);
    /// Whether a record of `partition` has taken `step` of `order` already.
    fn has_taken(&self, partition: i32, order: OrderId, step: Step) -> bool;
    /// What stands in `unit` now, but for `undone`.
    fn lend(&mut self, unit: Unit, undone: Undone) -> Arc<dyn Content>;
    /// Makes room for so many orders in `unit`, which are about to be restored.
    fn expect(&mut self, unit: Unit, orders: usize);
    /// Puts back an order as [`Content::keep`] told it, or [`Content::visit`]. False when `entry` cannot be one.
    fn restore(&mut self, unit: Unit, order: OrderId, entry: &[u8]) -> bool;
    /// A state of the same kind in which nothing has happened yet.
    fn fresh(&self) -> Box<dyn State>;
}

/// A state as it was at one moment.
pub(crate) trait Content: Send + Sync {
    /// Tells every order with what stands of it.
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8]));
    /// The same as a snapshot keeps it: an entry may speak of a file that outlives the process as well.
    ///
    /// # Errors
    /// That file cannot be made to.
    fn keep(&self, each: &mut dyn FnMut(OrderId, &[u8])) -> io::Result<()> {
        self.visit(each);
        Ok(())
    }
    /// Appends what stands of `order`; nothing when that is nothing.
    fn entry(&self, order: OrderId, out: &mut Vec<u8>);
}
