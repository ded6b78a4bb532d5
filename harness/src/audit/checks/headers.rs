use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "headers",
    claim: "every record carries the specification's four headers, and they are right",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for record in model.records() {
        finding.record();
        if let Some(fault) = &record.header_fault {
            let what = format!("{}: {fault}", record.event_type.name());
            finding.violation(model.id(record.order), what);
        }
    }
}
