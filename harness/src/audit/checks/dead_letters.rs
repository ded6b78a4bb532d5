use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "no-dead-letters",
    claim: "every record in the shop's topics is an event that can be read, and nothing was put aside",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    finding.looked_at.records = (model.records().len() + model.unreadable.len()) as u64;
    for unreadable in &model.unreadable {
        let what = format!(
            "{}/{} offset {}: {}",
            unreadable.topic.name(),
            unreadable.partition,
            unreadable.offset,
            unreadable.reason
        );
        finding.violation(None, what);
    }
    for (topic, letters) in &model.dead_letters {
        for letter in letters {
            finding.record();
            finding.violation(None, format!("{topic}: {letter}"));
        }
    }
}
