use std::collections::HashMap;

use contract::ids::OrderId;
use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;
use crate::audit::model::Detail;

pub(super) const CHECK: Check = Check {
    name: "tracking-numbers",
    claim: "no two orders share a tracking number; each is TRK and eight hexadecimal digits, 1 to 30 days",
    applies: always,
    look,
};

const DELIVERY_DAYS: std::ops::RangeInclusive<u32> = 1..=30;

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    let mut seen: HashMap<&str, OrderId> = HashMap::new();
    for order in model.orders() {
        finding.order();
        let Some(shipped) = model.step(order, Step::Shipping) else { continue };
        let Detail::Shipped { tracking_number, delivery_days, .. } = &shipped.detail else {
            continue;
        };
        finding.record();
        let id = model.id(order);
        if !is_well_formed(tracking_number) {
            finding.violation(id, format!("tracking number {tracking_number:?}"));
        }
        if !DELIVERY_DAYS.contains(delivery_days) {
            finding.violation(id, format!("delivery in {delivery_days} days"));
        }
        if let Some(other) = seen.insert(tracking_number, id) {
            finding.violation(id, format!("{tracking_number} belongs to order {other} too"));
        }
    }
}

fn is_well_formed(number: &str) -> bool {
    number.strip_prefix("TRK").is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}
