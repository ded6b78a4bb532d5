use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "orders-end",
    claim: "every order has ended: shipped, rejected, or not paid and released; and its buyer was told",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for order in model.orders() {
        finding.order();
        if !model.has_ended(order) {
            let last = model.history(order).last();
            let last = last.map_or("nothing", |record| record.event_type.name());
            finding.violation(model.id(order), format!("stuck after {last}"));
        }
    }
}
