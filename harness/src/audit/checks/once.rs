use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;
use crate::audit::model::Role;

pub(super) const CHECK: Check = Check {
    name: "effects-once",
    claim: "nothing is reserved, charged, released, shipped or notified twice: a step is decided in one \
            place, and where no process died it is decided once",
    applies: always,
    look,
};

/// First-wins makes a second decision harmless only when it stands in the same partition as the
/// first: every consumer then sees them in one order. And a second decision needs a cause: a process
/// that was killed, paused or doubled.
fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    finding.looked_at.orders = model.orders().len() as u64;
    for record in model.records() {
        finding.record();
        if record.role != Role::LostRace {
            continue;
        }
        let id = model.id(record.order);
        let step = record.event_type.step();
        let Some(first) = model.step(record.order, step) else { continue };
        if (first.topic, first.partition) != (record.topic, record.partition) {
            finding.violation(id, format!("the {} step stands in two places", step.name()));
        } else if evidence.undisturbed {
            let what = format!("decided twice, differently, with no process lost: {}", name(step));
            finding.violation(id, what);
        }
    }
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Created => "creating",
        Step::Inventory => "reserving",
        Step::Payment => "charging",
        Step::Release => "releasing",
        Step::Shipping => "shipping",
        Step::Notification => "notifying",
    }
}
