use contract::events::EventType;

use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::model::Detail;

pub(super) const CHECK: Check = Check {
    name: "amounts",
    claim: "every payment event's amount is price × quantity, to the cent",
    applies: sells_anything,
    look,
};

/// A sale where everything was sold out before it began has no payments by design.
fn sells_anything(evidence: &Evidence) -> bool {
    evidence.initial_stock.as_ref().is_none_or(|stock| stock.values().any(|pieces| *pieces > 0))
}

fn look(evidence: &Evidence, finding: &mut Finding) {
    for record in evidence.model.records() {
        let Detail::Payment { amount } = record.detail else { continue };
        finding.record();
        let due = record.product.price() * record.quantity;
        if amount != due {
            let verb = match record.event_type {
                EventType::PaymentCompleted => "charged",
                _ => "tried to charge",
            };
            let what =
                format!("{verb} {amount}, {} × {} is {due}", record.quantity, record.product);
            finding.violation(evidence.model.id(record.order), what);
        }
    }
}
