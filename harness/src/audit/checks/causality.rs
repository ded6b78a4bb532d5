use chrono::TimeDelta;
use contract::events::EventType;
use contract::topics::Step;

use super::{Check, Finding, always};
use crate::audit::Evidence;
use crate::audit::model::Record;

pub(super) const CHECK: Check = Check {
    name: "causes-first",
    claim: "no event is older than the one that caused it; within a partition it stands behind it",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    for order in model.orders() {
        finding.order();
        for effect in model.history(order) {
            finding.record();
            let cause = cause_of(effect, model.outcome(order, Step::Inventory));
            let Some(cause) = cause.and_then(|step| model.step(order, step)) else { continue };
            if is_before(effect, cause) {
                let (effect, cause) = (effect.event_type.name(), cause.event_type.name());
                finding.violation(model.id(order), format!("{effect} before its cause, {cause}"));
            }
        }
    }
}

fn cause_of(effect: &Record, inventory: Option<EventType>) -> Option<Step> {
    match effect.event_type.step() {
        Step::Created => None,
        Step::Inventory => Some(Step::Created),
        Step::Payment => Some(Step::Inventory),
        Step::Release | Step::Shipping => Some(Step::Payment),
        Step::Notification if inventory == Some(EventType::InventoryRejected) => {
            Some(Step::Inventory)
        }
        Step::Notification => Some(Step::Payment),
    }
}

/// A batch tells its records' own timestamps as differences in whole milliseconds, which rskafka rounds
/// down: they may be this much too early. The header has microseconds.
const RECORD_TIMESTAMP_ERROR: TimeDelta = TimeDelta::milliseconds(1);

/// The processes share one clock.
fn is_before(effect: &Record, cause: &Record) -> bool {
    let same_partition = (effect.topic, effect.partition) == (cause.topic, cause.partition);
    let stamped_before = match (effect.stamped_at, cause.stamped_at) {
        (Some(effect), Some(cause)) => effect < cause,
        _ => false,
    };
    effect.created_at + RECORD_TIMESTAMP_ERROR < cause.created_at
        || stamped_before
        || (same_partition && effect.offset < cause.offset)
}
