//! What a batch of records does to the tables. Pure: rows and levels in, rows, levels and answers out.

use std::collections::HashMap;

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::{OrderId, ProductId};

use super::super::domain::{PAYMENT_FAILED, SOLD_OUT, answer};
use super::super::standing::{Applied, Inventory, Payment, Standing};
use super::super::stock::Levels;
use crate::kit::worker::Stamped;

/// A row of `reservations`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) standing: Standing,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) release_decided_at: Option<Timestamp>,
}

/// One record that the inventory reads.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) event: Event,
    /// When it is taken in here; a record of the own topic: when it says that it was decided.
    pub(super) at: Timestamp,
}

/// All that a batch looks at.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) rows: HashMap<OrderId, Row>,
    pub(super) levels: [Levels; ProductId::ALL.len()],
}

/// What a batch comes to.
#[derive(Debug)]
pub(super) struct Plan {
    /// One for each entry: what is to be published.
    pub(super) answers: Vec<Option<Stamped>>,
    pub(super) tables: Tables,
    /// Orders whose decision the log overruled.
    pub(super) overruled: Vec<OrderId>,
}

/// Levels that no shop can have: the log and the tables began with different stock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "with what the log says, {product} would have {current} pieces, {reserved} of them reserved: the log \
     sold more than these tables began with; give --stock as it was when the log began, and an empty schema"
)]
pub(super) struct Impossible {
    product: ProductId,
    current: i64,
    reserved: i64,
}

/// Takes the entries in, one after the other.
pub(super) fn plan<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    mut tables: Tables,
) -> Result<Plan, Impossible> {
    let mut overruled = Vec::new();
    let answers = entries.into_iter().map(|entry| tables.take_in(entry, &mut overruled)).collect();
    for product in ProductId::ALL {
        let Levels { current, available } = tables.levels[product as usize];
        let reserved = current - available;
        if current < 0 || reserved < 0 || available < 0 {
            return Err(Impossible { product, current, reserved });
        }
    }
    Ok(Plan { answers, tables, overruled })
}

impl Tables {
    fn take_in(&mut self, entry: &Entry, overruled: &mut Vec<OrderId>) -> Option<Stamped> {
        let Entry { event, at } = entry;
        let order = event.order_id();
        let open =
            Row { standing: Standing::of(event), decided_at: None, release_decided_at: None };
        let mut row = self.rows.get(&order).copied().unwrap_or(open);
        let before = row.standing;
        let answer = match event.event_type() {
            EventType::OrderCreated => self.decide(&mut row, event, *at),
            _ => {
                if row.standing.apply(event) == Applied::Overruled {
                    overruled.push(order);
                }
                follow(&mut row, event, *at)
            }
        };
        if row != open {
            self.rows.insert(order, row);
        }
        self.correct(before, row.standing);
        answer
    }

    /// The table decides once. Whoever asks again is told the same, to the byte, until the log has it.
    fn decide(&self, row: &mut Row, event: &Event, at: Timestamp) -> Option<Stamped> {
        let confirmed = match row.standing.inventory {
            Inventory::Logged { .. } => return None,
            Inventory::Decided { confirmed } => confirmed,
            Inventory::Open => {
                let Standing { product, quantity, .. } = row.standing;
                let confirmed = self.levels[product as usize].available >= i64::from(quantity);
                row.standing.inventory = Inventory::Decided { confirmed };
                confirmed
            }
        };
        let at = *row.decided_at.get_or_insert(to_the_microsecond(at));
        let event = if confirmed {
            answer(event, EventType::InventoryConfirmed, None)
        } else {
            answer(event, EventType::InventoryRejected, Some(SOLD_OUT))
        };
        Some(Stamped { event, at })
    }

    fn correct(&mut self, before: Standing, after: Standing) {
        let mut add = |standing: Standing, sign: i64| {
            let (change, levels) = (standing.change(), &mut self.levels[standing.product as usize]);
            levels.current += sign * change.current;
            levels.available += sign * change.available;
        };
        add(before, -1);
        add(after, 1);
    }
}

/// What else follows from a record that has been applied. A failed payment asks for a release until the
/// log has it, however often it is read.
fn follow(row: &mut Row, event: &Event, at: Timestamp) -> Option<Stamped> {
    match event.event_type() {
        EventType::InventoryConfirmed | EventType::InventoryRejected => {
            row.decided_at.get_or_insert(to_the_microsecond(at));
            None
        }
        EventType::PaymentFailed
            if row.standing.payment == Payment::Failed && !row.standing.released =>
        {
            let at = *row.release_decided_at.get_or_insert(to_the_microsecond(at));
            let event = answer(event, EventType::InventoryReleased, Some(PAYMENT_FAILED));
            Some(Stamped { event, at })
        }
        _ => None,
    }
}

/// What the table and the `timestamp` header hold of a time.
fn to_the_microsecond(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
