use super::{Check, Finding, accepted::orders_by_key, with_journal};
use crate::audit::Evidence;
use crate::audit::journal::Outcome;

pub(super) const CHECK: Check = Check {
    name: "unaccepted-requests",
    claim: "a refused request left no order, one without an answer at most one",
    applies: with_journal,
    look,
};

/// Looks at every request: a healthy run has none that was refused or lost.
fn look(evidence: &Evidence, finding: &mut Finding) {
    let Some(journal) = &evidence.journal else { return };
    let by_key = orders_by_key(&evidence.model);
    for request in &journal.requests {
        finding.order();
        let orders = by_key.get(&*request.key).map_or(&[][..], Vec::as_slice);
        let id = orders.first().map(|order| evidence.model.id(*order));
        let status = request.status.map_or_else(|| "no answer".into(), |code| code.to_string());
        match (request.outcome, orders.len()) {
            (Outcome::Refused, 1..) => {
                finding.violation(id, format!("the client was told {status}: there is an order"));
            }
            (Outcome::Unknown, 2..) => {
                let count = orders.len();
                finding.violation(id, format!("one request ({status}) became {count} orders"));
            }
            _ => {}
        }
    }
}
