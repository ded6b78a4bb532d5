use super::{Check, Finding, with_journal};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "clients",
    claim: "no client saw an order vanish, go backwards or change",
    applies: with_journal,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let Some(journal) = &evidence.journal else { return };
    finding.looked_at.orders = journal.requests.len() as u64;
    for sighting in &journal.sightings {
        finding.violation(sighting.order_id, sighting.violation.to_string());
    }
}
