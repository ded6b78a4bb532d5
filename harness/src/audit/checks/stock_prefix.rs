use std::collections::BTreeMap;

use contract::events::EventType;
use contract::ids::ProductId;
use contract::topics::Step;

use super::{Check, Finding, with_stock};
use crate::audit::Evidence;
use crate::audit::model::Record;

pub(super) const CHECK: Check = Check {
    name: "stock-never-negative",
    claim: "at every moment, no more pieces of a product were reserved or sold than there were",
    applies: with_stock,
    look,
};

/// Goes through the deciding reservations and releases by the time of their decision. In the same
/// millisecond releases come first: the log does not tell their order, and a reservation may live on one.
fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(initial), model) = (&evidence.initial_stock, &evidence.model) else { return };
    let mut moves: Vec<&Record> = model
        .orders()
        .flat_map(|order| [Step::Inventory, Step::Release].map(|step| model.step(order, step)))
        .flatten()
        .collect();
    moves.sort_by_key(|record| (record.created_at.timestamp_millis(), is_reservation(record)));
    let mut available: BTreeMap<ProductId, i64> = BTreeMap::new();
    for record in moves {
        finding.record();
        let start = initial.get(&record.product).copied().unwrap_or(0);
        let left =
            available.entry(record.product).or_insert(i64::try_from(start).unwrap_or(i64::MAX));
        match record.event_type {
            EventType::InventoryConfirmed => *left -= i64::from(record.quantity),
            EventType::InventoryReleased => *left += i64::from(record.quantity),
            _ => continue,
        }
        if *left < 0 {
            let what = format!("confirmed with {} of {} left", *left, record.product);
            finding.violation(model.id(record.order), what);
        }
    }
}

fn is_reservation(record: &Record) -> bool {
    record.event_type != EventType::InventoryReleased
}
