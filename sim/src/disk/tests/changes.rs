//! Every durable change there is: it survives a kill, or is refused and not made.

use super::super::syncer::Fsync;
use super::fake::Faults;
use super::rig::{NOT_COORDINATOR, Rig, TOPIC, batch};
use crate::broker_config::Whose;
use crate::config::Overrides;
use crate::error::ErrorCode;

fn rig() -> Rig {
    let mut rig = Rig::with_topic(Fsync::Never);
    for at in 0..3 {
        rig.produce(TOPIC, batch(&[10 * at, 10 * at + 1]));
    }
    rig.commit("readers", TOPIC, 2);
    rig.commit("others", TOPIC, 2);
    rig
}

/// What can be seen from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    partitions: usize,
    records: Vec<(i64, i64)>,
    retention_ms: Option<i64>,
    max_message_bytes: usize,
    committed: [Option<i64>; 2],
}

fn seen(rig: &mut Rig) -> Seen {
    let topic = rig.core.topics.get(TOPIC).unwrap();
    Seen {
        partitions: topic.partitions.len(),
        retention_ms: topic.config.retention.ms,
        max_message_bytes: topic.config.max_message_bytes,
        committed: ["readers", "others"].map(|group| rig.committed(group, TOPIC)),
        records: rig.records(TOPIC),
    }
}

fn overrides(name: &'static str, value: &str) -> Overrides {
    Overrides::from([(name, value.to_owned())])
}

type Change = fn(&mut Rig) -> Result<(), ErrorCode>;

const CHANGES: [Change; 6] = [
    |rig| rig.core.create_partitions(TOPIC, 3),
    |rig| rig.core.delete_records(TOPIC, 0, 3).map(|_| ()),
    |rig| rig.core.set_topic_config(TOPIC, overrides("retention.ms", "99999999"), rig.now),
    |rig| {
        rig.core.set_broker_config(Whose::AllBrokers, overrides("message.max.bytes", "77"), rig.now)
    },
    |rig| rig.core.delete_offset("readers", TOPIC, 0),
    |rig| rig.core.delete_group("others"),
];

#[test]
fn each_survives_a_kill() {
    let mut rig = rig();
    let mut before = seen(&mut rig);
    for (at, change) in CHANGES.iter().enumerate() {
        assert_eq!(change(&mut rig), Ok(()), "change {at}");
        let after = seen(&mut rig);
        assert_ne!(after, before, "change {at} shows");
        rig.restart();
        assert_eq!(seen(&mut rig), after, "change {at}");
        before = after;
    }
    // The log begins inside the first batch that is left.
    let all = [(2, 10), (3, 11), (4, 20), (5, 21)];
    let expected = Seen {
        partitions: 3,
        records: all.to_vec(),
        retention_ms: Some(99_999_999),
        max_message_bytes: 77,
        committed: [None, None],
    };
    assert_eq!(before, expected);
    assert_eq!(rig.fetch(TOPIC, 2).error_code, ErrorCode::OffsetOutOfRange.code());
}

#[test]
fn each_is_refused_and_not_made_while_the_disk_is_full() {
    let mut rig = rig();
    let before = seen(&mut rig);
    rig.files.set_faults(Faults { room: Some(0), ..Faults::default() });
    let refused: Vec<i16> =
        CHANGES.iter().map(|change| change(&mut rig).unwrap_err().code()).collect();
    let storage = ErrorCode::KafkaStorageError.code();
    let groups = NOT_COORDINATOR;
    assert_eq!(refused, [storage, storage, storage, storage, groups, groups]);
    assert_eq!(seen(&mut rig), before);
    rig.files.set_faults(Faults::default());
    rig.restart();
    assert_eq!(seen(&mut rig), before);
}

#[test]
fn what_retention_has_removed_does_not_come_back_when_it_is_relaxed() {
    let mut rig = rig();
    let one = (batch(&[0, 1]).len()).to_string();
    rig.core.set_topic_config(TOPIC, overrides("retention.bytes", &one), rig.now).unwrap();
    rig.core.topics.retain(rig.now);
    let last = [(4, 20), (5, 21)];
    assert_eq!(rig.records(TOPIC), last);
    rig.restart();
    assert_eq!(rig.records(TOPIC), last, "the same settings lead to the same start");
    rig.core.set_topic_config(TOPIC, Overrides::new(), rig.now).unwrap();
    rig.restart();
    assert_eq!(rig.records(TOPIC), last);
}

#[test]
fn retention_by_time_goes_on_after_a_restart() {
    let mut rig = rig();
    rig.core.set_topic_config(TOPIC, overrides("retention.ms", "2000000"), rig.now).unwrap();
    rig.restart();
    assert_eq!(rig.records(TOPIC).len(), 6);
    let mut later = rig.now;
    later.wall_ms += 3_000_000;
    later.monotonic_ms = rig.core.next_deadline_ms().unwrap();
    for _ in 0..100 {
        rig.core.advance(later);
        later.monotonic_ms = rig.core.next_deadline_ms().unwrap();
    }
    assert_eq!(rig.records(TOPIC), []);
    rig.restart();
    assert_eq!(rig.produce(TOPIC, batch(&[2_500_000])), (0, 6));
}

#[test]
fn partitions_that_were_added_keep_their_records() {
    let mut rig = rig();
    rig.core.create_partitions(TOPIC, 2).unwrap();
    let header = crate::log::batch::BatchHeader::check(&batch(&[5])).unwrap();
    let log = |rig: &mut Rig| {
        rig.core.topics.partition_mut(TOPIC, 1).unwrap().log.append(&header, &batch(&[5]))
    };
    assert_eq!(log(&mut rig), Ok(0));
    rig.restart();
    assert_eq!(log(&mut rig), Ok(1));
}
