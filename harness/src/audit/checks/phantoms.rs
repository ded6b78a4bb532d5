use std::collections::HashSet;

use contract::topics::Step;

use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::model::Detail;

pub(super) const CHECK: Check = Check {
    name: "no-phantoms",
    claim: "every order in the log carries the key of a request that a client sent",
    applies: |evidence| evidence.journal.is_some() && evidence.sole_clients,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let Some(journal) = &evidence.journal else { return };
    let sent: HashSet<&str> = journal.requests.iter().map(|request| &*request.key).collect();
    let model = &evidence.model;
    for order in model.orders() {
        finding.order();
        let detail = model.step(order, Step::Created).map(|created| &created.detail);
        match detail {
            Some(Detail::Created { request_id: Some(key) }) if sent.contains(&**key) => {}
            Some(Detail::Created { request_id: Some(key) }) => {
                finding.violation(model.id(order), format!("nobody sent a request {key:?}"));
            }
            Some(_) => finding.violation(model.id(order), "it carries no request's key"),
            None => finding.violation(model.id(order), "it has events but was never created"),
        }
    }
}
