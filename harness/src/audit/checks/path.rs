use contract::events::EventType;
use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;
use crate::audit::model::{Model, OrderIndex};

pub(super) const CHECK: Check = Check {
    name: "legal-paths",
    claim: "each order went one of the saga's paths: no event without the one that causes it",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for order in model.orders() {
        finding.order();
        for record in model.history(order) {
            finding.record();
            if let Some(missing) = missing_cause(model, order, record.event_type) {
                let what = format!("{} without {missing}", record.event_type.name());
                finding.violation(model.id(order), what);
            }
        }
    }
}

/// What had to happen before `effect`, when it did not.
fn missing_cause(model: &Model, order: OrderIndex, effect: EventType) -> Option<&'static str> {
    let was = |step, event_type| model.outcome(order, step) == Some(event_type);
    let (holds, cause) = match effect {
        EventType::OrderCreated => (true, ""),
        EventType::InventoryConfirmed | EventType::InventoryRejected => {
            (was(Step::Created, EventType::OrderCreated), "OrderCreated")
        }
        EventType::PaymentCompleted | EventType::PaymentFailed => {
            (was(Step::Inventory, EventType::InventoryConfirmed), "InventoryConfirmed")
        }
        EventType::InventoryReleased => {
            (was(Step::Payment, EventType::PaymentFailed), "PaymentFailed")
        }
        EventType::Shipped => (was(Step::Payment, EventType::PaymentCompleted), "PaymentCompleted"),
        EventType::NotificationSent => (
            was(Step::Inventory, EventType::InventoryRejected)
                || model.outcome(order, Step::Payment).is_some(),
            "InventoryRejected or a payment's outcome",
        ),
    };
    (!holds).then_some(cause)
}
