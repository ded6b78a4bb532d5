use contract::topics::partition_for_key;

use super::{Check, Finding, always};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "partitions",
    claim: "every record is keyed by its order's id and stands in its type's topic, in the partition that \
            murmur2 gives; all topics have equally many partitions",
    applies: always,
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let model = &evidence.model;
    let counts: Vec<i32> = model.partitions.values().copied().collect();
    if counts.windows(2).any(|pair| pair[0] != pair[1]) {
        finding.violation(None, format!("the topics have {counts:?} partitions"));
    }
    for record in model.records() {
        finding.record();
        let id = model.id(record.order);
        let home = record.event_type.topic();
        if record.topic != home {
            let (name, topic) = (record.event_type.name(), record.topic.name());
            finding.violation(id, format!("{name} stands in {topic}, not in {}", home.name()));
            continue;
        }
        if !record.key_is_order {
            finding.violation(id, format!("the key of {} is not the id", record.event_type.name()));
            continue;
        }
        let Some(count) = model.partitions.get(&record.topic).filter(|count| **count > 0) else {
            continue;
        };
        let mut buffer = uuid::Uuid::encode_buffer();
        let key = id.0.hyphenated().encode_lower(&mut buffer);
        let expected = partition_for_key(key.as_bytes(), *count);
        if record.partition != expected {
            let (name, found) = (record.event_type.name(), record.partition);
            let what = format!("{name} is in partition {found}, its key belongs in {expected}");
            finding.violation(id, what);
        }
    }
}
