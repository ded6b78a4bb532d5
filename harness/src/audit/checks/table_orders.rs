use contract::events::EventType;
use contract::topics::Step;

use super::{Check, Finding, with_tables};
use crate::audit::Evidence;
use crate::audit::model::{Detail, Model, OrderIndex};
use crate::audit::tables::OrderRow;

pub(super) const CHECK: Check = Check {
    name: "table-orders",
    claim: "the table orders says of each order what the log says: content, status, amount, tracking number",
    applies: with_tables,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(tables), model) = (&evidence.tables, &evidence.model) else { return };
    for id in tables.orders.keys().filter(|id| model.find(**id).is_none()) {
        finding.violation(*id, "the table orders knows an order that is not in the log");
    }
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        match tables.orders.get(&id) {
            None => finding.violation(id, "is not in the table orders"),
            Some(row) => {
                if let Some(what) = difference(model, order, row) {
                    finding.violation(id, what);
                }
            }
        }
    }
}

fn difference(model: &Model, order: OrderIndex, row: &OrderRow) -> Option<String> {
    if let Some(created) = model.step(order, Step::Created)
        && (row.product != created.product.as_str()
            || i64::from(row.quantity) != i64::from(created.quantity))
    {
        return Some(format!("the table has {} of {}", row.quantity, row.product));
    }
    let status = model.status(order).and_then(|status| serde_json::to_value(status).ok());
    if status.as_ref().and_then(|status| status.as_str()) != Some(row.status.as_str()) {
        return Some(format!("the table has status {}, the log says {status:?}", row.status));
    }
    let paid = model
        .step(order, Step::Payment)
        .filter(|record| record.event_type == EventType::PaymentCompleted)
        .and_then(|record| match &record.detail {
            Detail::Payment { amount } => Some(amount.0),
            _ => None,
        });
    if row.payment_cents != paid {
        return Some(format!(
            "the table has {:?} cents paid, the log says {paid:?}",
            row.payment_cents
        ));
    }
    let shipped = model.step(order, Step::Shipping).and_then(|record| match &record.detail {
        Detail::Shipped { tracking_number, .. } => Some(&**tracking_number),
        _ => None,
    });
    if row.tracking_number.as_deref() != shipped {
        return Some(format!(
            "the table has tracking number {:?}, not {shipped:?}",
            row.tracking_number
        ));
    }
    (row.ended != model.has_ended(order)).then(|| "the table tells its end otherwise".to_owned())
}
