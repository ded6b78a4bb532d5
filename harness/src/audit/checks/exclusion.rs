use contract::events::EventType;
use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "exclusive-outcomes",
    claim: "paid or released, never both; shipped only if paid; rejected means never paid, never shipped",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        let paid = model.outcome(order, Step::Payment) == Some(EventType::PaymentCompleted);
        let rejected = model.outcome(order, Step::Inventory) == Some(EventType::InventoryRejected);
        let released = model.step(order, Step::Release).is_some();
        let shipped = model.step(order, Step::Shipping).is_some();
        if paid && released {
            finding.violation(id, "paid, and its stock was released");
        }
        if shipped && !paid {
            finding.violation(id, "shipped, but not paid");
        }
        if shipped && released {
            finding.violation(id, "shipped, and its stock was released");
        }
        if rejected && (model.step(order, Step::Payment).is_some() || released || shipped) {
            finding.violation(id, "rejected, and it went on");
        }
    }
}
