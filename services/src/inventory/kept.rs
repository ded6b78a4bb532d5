//! The ledger as a state that snapshots keep: what the log says of every order, whoever decided it.

use std::sync::Arc;

use contract::ids::OrderId;
use contract::topics::Step;

use super::args::StartingStock;
use super::domain;
use super::ledger::Ledger;
use super::stock::Stock;
use crate::kit::log::Received;
use crate::kit::snapshot::state::Undone;
use crate::kit::snapshot::{Content, State, Unit, Units};

/// A ledger, and the stock that it began with.
pub(super) struct Kept {
    pub(super) starting: StartingStock,
    pub(super) ledger: Arc<Ledger>,
}

impl Kept {
    pub(super) fn new(starting: StartingStock) -> Self {
        let stock = Stock::new(|product| starting.of(product));
        Self { starting, ledger: Arc::new(Ledger::new(stock)) }
    }
}

impl State for Kept {
    /// A single writer has all partitions, and its stock is a sum over all of them.
    fn units(&self) -> Units {
        Units::Whole
    }

    fn fold(&mut self, record: &Received) {
        // Whoever folds only history decides nothing, so that the log overrules nothing.
        let _ = domain::fold(&self.ledger, &record.event);
    }

    fn has_taken(&self, _partition: i32, order: OrderId, step: Step) -> bool {
        self.ledger.has_taken(order, step)
    }

    fn lend(&mut self, _unit: Unit, undone: Undone) -> Arc<dyn Content> {
        Arc::new(self.ledger.lend(undone))
    }

    fn expect(&mut self, _unit: Unit, orders: usize) {
        self.ledger.expect(orders);
    }

    fn restore(&mut self, _unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        self.ledger.restore(order, entry)
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self::new(self.starting))
    }
}
