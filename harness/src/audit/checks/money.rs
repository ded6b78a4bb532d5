use contract::events::EventType;
use contract::money::Cents;
use contract::topics::Step;

use super::{Check, Finding, with_ledger};
use crate::audit::Evidence;
use crate::audit::model::Detail;

pub(super) const CHECK: Check = Check {
    name: "money-adds-up",
    claim: "what the gateway took in all is what the paid orders cost in all, in cents",
    applies: with_ledger,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(ledger), model) = (&evidence.ledger, &evidence.model) else { return };
    let mut earned = Cents::default();
    for order in model.orders() {
        finding.order();
        let payment = model.step(order, Step::Payment);
        if let Some(payment) = payment.filter(|p| p.event_type == EventType::PaymentCompleted)
            && let Detail::Payment { amount } = payment.detail
        {
            earned = earned + amount;
        }
    }
    let taken =
        ledger.charges.values().map(|charge| charge.amount * charge.captures).sum::<Cents>();
    if earned != taken {
        let what = format!("the shop earned {earned}, the gateway took {taken}");
        finding.violation(None, what);
    }
}
