//! What was ordered under each id: a fold of `orders`, and what this process published itself.

use std::sync::Arc;

use contract::events::Event;
use contract::http::CreateOrderRequest;
use contract::ids::{OrderId, ProductId};
use contract::topics::Step;

use crate::kit::log::Received;
use crate::kit::snapshot::book::{Book, Entry};
use crate::kit::snapshot::state::{StepSet, Undone};
use crate::kit::snapshot::{Content, State, Unit, Units};

/// What was ordered under an id: three bytes, since millions of these are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    product_id: ProductId,
    quantity: u8,
    /// Read from the log, and so the truth. What this process published itself yields to it: another
    /// instance may have been first.
    pub(super) from_log: bool,
}

impl Known {
    pub(super) fn new(order: &CreateOrderRequest, from_log: bool) -> Self {
        let quantity = u8::try_from(order.quantity).unwrap_or(u8::MAX);
        Self { product_id: order.product_id, quantity, from_log }
    }

    pub(super) fn is(&self, order: &CreateOrderRequest) -> bool {
        self.product_id == order.product_id && u32::from(self.quantity) == order.quantity
    }
}

/// Product and quantity of what the log says; what it does not say yet is no part of a snapshot.
impl Entry for Known {
    fn encode(&self, _undone: StepSet, out: &mut Vec<u8>) {
        if self.from_log {
            out.extend([self.product_id as u8, self.quantity]);
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let &[product, quantity] = bytes else { return None };
        let product_id = ProductId::ALL.get(usize::from(product)).copied()?;
        Some(Self { product_id, quantity, from_log: true })
    }
}

/// All orders by id.
#[derive(Debug, Default)]
pub(super) struct KnownOrders(Book<Known>);

impl KnownOrders {
    pub(super) fn get(&self, order: OrderId) -> Option<&Known> {
        self.0.get(order)
    }

    /// What this process published itself.
    pub(super) fn note(&mut self, order_id: OrderId, order: &CreateOrderRequest) {
        self.0.entry(order_id, Known::new(order, false));
    }

    /// One record of the log: the first of an order is the truth, later ones are repeats.
    pub(super) fn fold(&mut self, order_id: OrderId, order: &CreateOrderRequest) {
        let known = self.0.entry(order_id, Known::new(order, true));
        if !known.from_log {
            *known = Known::new(order, true);
        }
    }

    /// Takes `other` for the truth, and keeps what it does not know.
    pub(super) fn adopt(&mut self, mut other: Self) {
        for (order, known) in self.0.iter() {
            other.0.entry(order, *known);
        }
        *self = other;
    }

    /// Takes the orders of `content`, and of its own those that `live` does not know: they are newer.
    pub(super) fn replace(&mut self, content: &dyn Content, live: &dyn Content) {
        let mut new = Self::default();
        content.visit(&mut |order, entry| {
            // What was encoded a moment ago can be decoded.
            let _ = new.0.restore(order, entry);
        });
        let mut entry = Vec::new();
        for (order, known) in self.0.iter() {
            entry.clear();
            live.entry(order, &mut entry);
            if entry.is_empty() {
                new.0.entry(order, *known);
            }
        }
        *self = new;
    }
}

impl State for KnownOrders {
    fn units(&self) -> Units {
        Units::Whole
    }

    fn fold(&mut self, record: &Received) {
        if let Event::Order(created) = &record.event {
            let order =
                CreateOrderRequest { product_id: created.product_id, quantity: created.quantity };
            self.fold(created.order_id, &order);
        }
    }

    fn has_taken(&self, _partition: i32, order: OrderId, step: Step) -> bool {
        step == Step::Created && self.get(order).is_some_and(|known| known.from_log)
    }

    fn lend(&mut self, _unit: Unit, undone: Undone) -> Arc<dyn Content> {
        self.0.lend(undone)
    }

    fn expect(&mut self, _unit: Unit, orders: usize) {
        self.0.reserve(orders);
    }

    fn restore(&mut self, _unit: Unit, order: OrderId, entry: &[u8]) -> bool {
        self.0.restore(order, entry)
    }

    fn fresh(&self) -> Box<dyn State> {
        Box::new(Self::default())
    }
}
