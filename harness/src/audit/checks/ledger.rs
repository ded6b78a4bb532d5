use contract::events::EventType;
use contract::http::{Charge, ChargeOutcome};
use contract::topics::Step;

use super::{Check, Finding, with_ledger};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "gateway-ledger",
    claim: "the gateway took money at most once per order, exactly for the paid ones, exactly their price",
    applies: with_ledger,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(ledger), model) = (&evidence.ledger, &evidence.model) else { return };
    for id in &ledger.repeated {
        finding.violation(*id, "stands in the ledger twice");
    }
    for (id, charge) in &ledger.charges {
        let Some(order) = model.find(*id) else {
            finding.violation(*id, "the gateway charged an order that is not in the log");
            continue;
        };
        if let Some(confirmed) = model.step(order, Step::Inventory) {
            let due = confirmed.product.price() * confirmed.quantity;
            if charge.amount != due {
                let what =
                    format!("the gateway was asked for {}, the price is {due}", charge.amount);
                finding.violation(*id, what);
            }
        }
        if let Some(what) = contradiction(charge) {
            finding.violation(*id, what);
        }
    }
    for order in model.orders() {
        finding.order();
        let id = model.id(order);
        let captures = ledger.charges.get(&id).map_or(0, |charge| charge.captures);
        match model.outcome(order, Step::Payment) {
            Some(EventType::PaymentCompleted) if captures == 0 => {
                finding.violation(id, "paid, but the gateway took no money");
            }
            Some(EventType::PaymentCompleted) => {}
            other if captures > 0 => {
                let other = other.map_or("no payment event", EventType::name);
                finding.violation(id, format!("{other}, but the gateway took the money"));
            }
            _ => {}
        }
    }
}

fn contradiction(charge: &Charge) -> Option<String> {
    match (charge.outcome, charge.captures) {
        (_, 2..) => Some(format!("charged {} times", charge.captures)),
        (ChargeOutcome::Declined, 1) => Some("declined, but the money was taken".into()),
        (ChargeOutcome::Captured, 0) => Some("captured, but no money was taken".into()),
        _ => None,
    }
}
