use std::collections::BTreeMap;

use contract::events::EventType;
use contract::ids::ProductId;
use contract::topics::Step;

use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::model::{Model, OrderIndex};
use crate::audit::tables::ReservationRow;

pub(super) const CHECK: Check = Check {
    name: "table-stock",
    claim: "the table reservations holds the log's decisions, and the table inventory adds up from them",
    applies: |evidence| evidence.tables.is_some() && evidence.initial_stock.is_some(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(tables), model) = (&evidence.tables, &evidence.model) else { return };
    let mut levels: BTreeMap<ProductId, (i64, i64)> = BTreeMap::new();
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        let Some(decided) = model.step(order, Step::Inventory) else { continue };
        let Some(row) = tables.reservations.get(&id) else {
            finding.violation(id, "is not in the table reservations");
            continue;
        };
        if let Some(what) = difference(model, order, row) {
            finding.violation(id, what);
        }
        let (sold, reserved) = levels.entry(decided.product).or_default();
        let pieces = i64::from(decided.quantity);
        match (decided.event_type, model.outcome(order, Step::Payment)) {
            (EventType::InventoryConfirmed, Some(EventType::PaymentCompleted)) => *sold += pieces,
            (EventType::InventoryConfirmed, _) if model.step(order, Step::Release).is_none() => {
                *reserved += pieces;
            }
            _ => {}
        }
    }
    for id in tables.reservations.keys().filter(|id| model.find(**id).is_none()) {
        finding.violation(*id, "the table reservations knows an order that is not in the log");
    }
    for (product, start) in evidence.initial_stock.iter().flatten() {
        let (sold, reserved) = levels.get(product).copied().unwrap_or_default();
        let expected = (i64::try_from(*start).unwrap_or(i64::MAX) - sold, reserved);
        let found = tables.stock.get(product);
        let found = found.map(|row| (i64::from(row.current), i64::from(row.reserved)));
        if found != Some(expected) {
            let what = format!(
                "{product}: the table inventory has {found:?} (current, reserved), the log makes it {expected:?}"
            );
            finding.violation(None, what);
        }
    }
}

fn difference(model: &Model, order: OrderIndex, row: &ReservationRow) -> Option<String> {
    let decided = model.step(order, Step::Inventory)?;
    let confirmed = decided.event_type == EventType::InventoryConfirmed;
    let decision = if confirmed { "confirmed" } else { "rejected" };
    if row.decision.as_deref() != Some(decision) {
        return Some(format!("is {decision} in the log and {:?} in the table", row.decision));
    }
    if row.product != decided.product.as_str()
        || i64::from(row.quantity) != i64::from(decided.quantity)
    {
        return Some(format!("the table reserves {} of {}", row.quantity, row.product));
    }
    let payment = match model.outcome(order, Step::Payment) {
        Some(EventType::PaymentCompleted) => Some("completed"),
        Some(_) => Some("failed"),
        None => None,
    };
    if row.payment.as_deref() != payment {
        return Some(format!("its payment is {:?} in the table, not {payment:?}", row.payment));
    }
    let released = model.step(order, Step::Release).is_some();
    (row.released != released).then(|| format!("its release is told otherwise: {}", row.released))
}
