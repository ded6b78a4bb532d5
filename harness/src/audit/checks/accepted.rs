use std::collections::HashMap;

use contract::topics::Step;

use super::{Check, Finding, with_journal};
use crate::audit::Evidence;
use crate::audit::journal::Outcome;
use crate::audit::model::{Detail, Model, OrderIndex};

pub(super) const CHECK: Check = Check {
    name: "accepted-orders",
    claim: "every 201 is exactly one order in the log, with the returned id and the same content",
    applies: with_journal,
    look,
};

/// The orders that carry each request's key.
pub(super) fn orders_by_key(model: &Model) -> HashMap<&str, Vec<OrderIndex>> {
    let mut by_key: HashMap<&str, Vec<OrderIndex>> = HashMap::new();
    for record in model.records() {
        if let Detail::Created { request_id: Some(key) } = &record.detail {
            let orders = by_key.entry(key).or_default();
            if !orders.contains(&record.order) {
                orders.push(record.order);
            }
        }
    }
    by_key
}

fn look(evidence: &Evidence, finding: &mut Finding) {
    let Some(journal) = &evidence.journal else { return };
    let (model, by_key) = (&evidence.model, orders_by_key(&evidence.model));
    for request in journal.requests.iter().filter(|r| r.outcome == Outcome::Created) {
        finding.order();
        let Some(id) = request.order_id else {
            finding.violation(None, format!("request {}: 201 without an order id", request.key));
            continue;
        };
        let orders = by_key.get(&*request.key).map_or(&[][..], Vec::as_slice);
        match orders {
            [] => finding.violation(id, "answered 201, but it is not in the log"),
            [order] if model.id(*order) != id => finding.violation(
                id,
                format!("answered 201 with this id, but the log has {}", model.id(*order)),
            ),
            [order] => {
                let created = model.step(*order, Step::Created);
                let same = created.is_some_and(|created| {
                    created.product == request.product_id && created.quantity == request.quantity
                });
                if !same {
                    let (product, quantity) = (request.product_id, request.quantity);
                    let what = format!("ordered {quantity} × {product}; the log says otherwise");
                    finding.violation(id, what);
                }
            }
            more => finding.violation(id, format!("one request became {} orders", more.len())),
        }
    }
}
