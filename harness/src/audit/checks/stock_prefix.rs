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

/// Goes through the deciding reservations and returns by the time of their decision. At the same moment
/// returns come first: the log does not tell their order, and a reservation may live on one.
///
/// A process that dies may have given a piece away again before its `InventoryReleased` was in the log;
/// its successor writes it later. Where a process died, a piece is therefore free from the failed payment
/// on, which is what makes it nobody's.
fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(initial), model) = (&evidence.initial_stock, &evidence.model) else { return };
    let freed_by = if evidence.undisturbed { Step::Release } else { Step::Payment };
    let mut moves: Vec<(&Record, i64)> = Vec::new();
    for order in model.orders() {
        let reserved = model.step(order, Step::Inventory);
        let reserved = reserved.filter(|r| r.event_type == EventType::InventoryConfirmed);
        let freed = model.step(order, freed_by);
        let freed = freed.filter(|r| r.event_type != EventType::PaymentCompleted);
        moves.extend(reserved.map(|record| (record, -i64::from(record.quantity))));
        moves.extend(freed.map(|record| (record, i64::from(record.quantity))));
    }
    moves.sort_by_key(|(record, pieces)| (record.decided_at(), -pieces.signum()));
    let mut available: BTreeMap<ProductId, i64> = BTreeMap::new();
    finding.looked_at.orders = model.orders().len() as u64;
    for (record, pieces) in moves {
        finding.record();
        let start = initial.get(&record.product).copied().unwrap_or(0);
        let start = i64::try_from(start).unwrap_or(i64::MAX);
        let left = available.entry(record.product).or_insert(start);
        *left = left.saturating_add(pieces);
        if *left < 0 {
            let what = format!("confirmed, which leaves {} of {}", *left, record.product);
            finding.violation(model.id(record.order), what);
        }
    }
}
