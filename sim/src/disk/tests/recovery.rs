//! What is found after a kill or a power cut, and what is not pretended.

use super::super::syncer::Fsync;
use super::fake::Faults;
use super::rig::{Rig, STORAGE_ERROR, TOPIC, batch};
use crate::log::batch::tests::batch_from;

const SEGMENT: &str = "/0/00000000000000000000.log";

/// Three batches: offsets 0 and 1, 2, and 3 and 4.
fn rig_with_batches() -> Rig {
    let mut rig = Rig::with_topic(Fsync::Never);
    for timestamps in [&[10, 11][..], &[20], &[30, 31]] {
        assert_eq!(rig.produce(TOPIC, batch(timestamps)).0, 0);
    }
    rig
}

const ALL: [(i64, i64); 5] = [(0, 10), (1, 11), (2, 20), (3, 30), (4, 31)];

#[test]
fn everything_is_there_after_a_kill() {
    let mut rig = rig_with_batches();
    rig.create_topic("others", &[("retention.ms", "99999999"), ("segment.bytes", "4096")]);
    rig.commit("readers", TOPIC, 3);
    rig.commit("readers", TOPIC, 4);
    let id = |rig: &Rig| rig.core.topics.get(TOPIC).unwrap().id;
    let (before, cluster) = (id(&rig), rig.core.cluster_id.clone());
    let producer_id = rig.core.new_producer_id().unwrap();
    rig.restart();
    assert_eq!(rig.records(TOPIC), ALL);
    assert_eq!((id(&rig), rig.core.cluster_id.clone()), (before, cluster));
    assert_eq!(rig.committed("readers", TOPIC), Some(4));
    let config = &rig.core.topics.get("others").unwrap().config;
    assert_eq!((config.retention.ms, config.segment_bytes), (Some(99_999_999), 4_096));
    assert!(rig.core.new_producer_id().unwrap() > producer_id, "no id is given twice");
    assert_eq!(rig.produce(TOPIC, batch(&[40])), (0, 5));
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let rig = rig_with_batches();
    let segment = rig.files.named(SEGMENT);
    let whole = rig.files.content(&segment);
    let last = whole.len() - batch(&[30, 31]).len();
    let mut rig = rig;
    for length in last..whole.len() {
        rig.files.set_content(&segment, whole[..length].to_vec());
        rig.restart();
        assert_eq!(rig.files.content(&segment).len(), last, "cut at {length}");
        assert_eq!(rig.records(TOPIC), ALL[..3]);
        assert_eq!(rig.produce(TOPIC, batch(&[30, 31])), (0, 3));
        assert_eq!(rig.files.content(&segment), whole);
    }
}

#[test]
fn a_last_batch_that_fails_its_checksum_is_a_torn_tail() {
    let mut rig = rig_with_batches();
    let segment = rig.files.named(SEGMENT);
    let mut bytes = rig.files.content(&segment);
    *bytes.last_mut().unwrap() ^= 1;
    rig.files.set_content(&segment, bytes);
    rig.restart();
    assert_eq!(rig.records(TOPIC), ALL[..3]);
}

#[test]
fn a_flipped_byte_in_the_middle_is_never_passed() {
    let mut rig = rig_with_batches();
    let segment = rig.files.named(SEGMENT);
    let whole = rig.files.content(&segment);
    let first = batch(&[10, 11]).len();
    for at in first..first + batch(&[20]).len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        rig.files.set_content(&segment, flipped.clone());
        rig.restart();
        assert_eq!(rig.records(TOPIC), ALL[..2], "byte {at}");
        for offset in [2, 3, 4, 99] {
            assert_eq!(rig.fetch(TOPIC, offset).error_code, STORAGE_ERROR, "byte {at}");
        }
        assert_eq!(rig.produce(TOPIC, batch(&[50])).0, STORAGE_ERROR);
        assert_eq!(rig.files.content(&segment), flipped, "nothing is touched");
    }
    // A partition in need is no reason to refuse the others.
    assert_eq!(rig.create_topic("others", &[]), 0);
    assert_eq!(rig.produce("others", batch(&[1])), (0, 0));
    rig.files.set_content(&segment, whole);
    rig.restart();
    assert_eq!(rig.records(TOPIC), ALL);
}

#[test]
fn a_missing_segment_is_damage() {
    let mut rig = Rig::new(Fsync::Never);
    rig.create_topic(TOPIC, &[("segment.bytes", "100")]);
    for at in 0..4 {
        rig.produce(TOPIC, batch(&[at]));
    }
    let second = rig.files.named("00000000000000000001.log");
    super::super::files::Files::remove_file(&rig.files, &second).unwrap();
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 0)]);
    assert_eq!(rig.fetch(TOPIC, 1).error_code, STORAGE_ERROR);
    assert_eq!(rig.produce(TOPIC, batch(&[9])).0, STORAGE_ERROR);
}

#[test]
fn a_producers_retry_after_the_restart_is_a_duplicate() {
    let mut rig = Rig::with_topic(Fsync::Never);
    let sent = |sequence| batch_from(&[1, 2], 9, 7, 0, sequence);
    for at in 0..3 {
        assert_eq!(rig.produce(TOPIC, sent(2 * at)), (0, 2 * i64::from(at)));
    }
    rig.restart();
    assert_eq!(rig.produce(TOPIC, sent(2)), (0, 2), "the offset that it got the first time");
    assert_eq!(rig.produce(TOPIC, sent(8)).0, 45, "a gap is still a gap");
    assert_eq!(rig.produce(TOPIC, sent(6)), (0, 6));
    assert_eq!(rig.records(TOPIC).len(), 8);
}

#[test]
fn a_deleted_topic_leaves_nothing_behind() {
    let mut rig = rig_with_batches();
    rig.commit("readers", TOPIC, 3);
    let before = rig.files.names().len();
    assert_eq!(rig.delete_topic(TOPIC), 0);
    // The process dies before it has removed the files.
    rig.restart();
    assert!(rig.core.topics.get(TOPIC).is_none());
    assert_eq!(rig.committed("readers", TOPIC), None);
    assert!(rig.files.names().len() < before, "{:?}", rig.files.names());
    assert_eq!(rig.create_topic(TOPIC, &[]), 0);
    assert_eq!(rig.produce(TOPIC, batch(&[1])), (0, 0));
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 1)]);
}

#[test]
fn a_name_as_long_as_kafka_allows_is_kept() {
    let mut rig = Rig::new(Fsync::Never);
    let long = "x".repeat(249);
    rig.create_topic(&long, &[]);
    rig.produce(&long, batch(&[1]));
    let longest = rig.files.names().iter().flat_map(|path| path.iter()).map(|n| n.len()).max();
    assert!(longest.unwrap() <= 255);
    rig.restart();
    assert_eq!(rig.records(&long), [(0, 1)]);
}

#[test]
fn a_first_start_that_was_killed_anywhere_can_be_repeated() {
    for dies_after in 0..200 {
        let mut rig = Rig::new(Fsync::Never);
        rig.files.cut_power(0);
        rig.files.set_faults(Faults { dies_after: Some(dies_after), ..Faults::default() });
        let died = rig.try_restart().is_err();
        assert!(died || rig.files.faults().dies_after != Some(0));
        rig.files.set_faults(Faults::default());
        rig.restart();
        assert_eq!(rig.create_topic(TOPIC, &[]), 0);
    }
}
