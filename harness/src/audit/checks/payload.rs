use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "same-content",
    claim: "every event of an order names the product and quantity that were ordered",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for record in model.records() {
        finding.record();
        let Some(created) = model.step(record.order, Step::Created) else { continue };
        if (created.product, created.quantity) != (record.product, record.quantity) {
            let what = format!(
                "{} says {} × {}, ordered were {} × {}",
                record.event_type.name(),
                record.quantity,
                record.product,
                created.quantity,
                created.product
            );
            finding.violation(model.id(record.order), what);
        }
    }
}
