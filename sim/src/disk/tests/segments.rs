//! Segments: rolled, read across, and deleted when nothing in them is needed.

use super::super::syncer::Fsync;
use super::rig::{Rig, STORAGE_ERROR, TOPIC, batch};
use crate::log::Retention;

fn rig_with_small_segments(batches: i64) -> Rig {
    let mut rig = Rig::new(Fsync::Never);
    let two = 2 * batch(&[0]).len();
    rig.create_topic(TOPIC, &[("segment.bytes", &two.to_string())]);
    for at in 0..batches {
        assert_eq!(rig.produce(TOPIC, batch(&[at])), (0, at));
    }
    rig
}

fn segments(rig: &Rig) -> Vec<i64> {
    let names = rig.files.names();
    let offsets = names.iter().filter_map(|path| {
        path.extension().filter(|extension| *extension == "log")?;
        path.file_stem()?.to_str()?.parse().ok()
    });
    offsets.collect()
}

fn retain(rig: &mut Rig, retention: Retention, wall_ms: i64) {
    rig.core.topics.partition_mut(TOPIC, 0).unwrap().log.retain(retention, wall_ms);
    rig.sync();
}

#[test]
fn segments_are_rolled_and_read_across() {
    let mut rig = rig_with_small_segments(7);
    assert_eq!(segments(&rig), [0, 2, 4, 6]);
    let all: Vec<_> = (0..7).map(|at| (at, at)).collect();
    assert_eq!(rig.records(TOPIC), all);
    rig.restart();
    assert_eq!(rig.records(TOPIC), all);
    assert_eq!(rig.fetch(TOPIC, 3).records.unwrap().len(), 4 * batch(&[0]).len());
    assert_eq!(rig.produce(TOPIC, batch(&[7])), (0, 7));
    assert_eq!(segments(&rig), [0, 2, 4, 6], "an unfilled segment goes on");
}

#[test]
fn a_segment_much_larger_than_what_is_read_at_a_time_is_recovered() {
    let mut rig = Rig::with_topic(Fsync::Never);
    let many: Vec<i64> = (0..5_000).collect();
    let length = batch(&many).len();
    let batches = 4_000_000 / length;
    for _ in 0..batches {
        rig.produce(TOPIC, batch(&many));
    }
    rig.restart();
    assert_eq!(rig.records(TOPIC).len(), 5_000 * batches);
    let segment = rig.files.named(".log");
    let mut bytes = rig.files.content(&segment);
    let damaged = batches - 3;
    bytes[damaged * length + 100] ^= 1;
    rig.files.set_content(&segment, bytes.clone());
    rig.restart();
    assert_eq!(rig.records(TOPIC).len(), 5_000 * damaged);
    assert_eq!(rig.produce(TOPIC, batch(&[1])).0, STORAGE_ERROR);
    // Without the batches behind it, it is a torn tail.
    bytes.truncate((damaged + 1) * length + 50);
    rig.files.set_content(&segment, bytes);
    rig.restart();
    assert_eq!(rig.produce(TOPIC, batch(&[1])), (0, 5_000 * damaged as i64));
}

#[test]
fn a_batch_larger_than_a_segment_has_one_of_its_own() {
    let mut rig = rig_with_small_segments(1);
    let many: Vec<i64> = (0..100).collect();
    rig.produce(TOPIC, batch(&many));
    rig.produce(TOPIC, batch(&[1]));
    assert_eq!(segments(&rig), [0, 1, 101]);
}

#[test]
fn retention_deletes_whole_segments_and_survives_a_restart() {
    let mut rig = rig_with_small_segments(7);
    let one = batch(&[0]).len() as u64;
    let three = Retention { bytes: Some(3 * one), ms: None };
    retain(&mut rig, three, 0);
    assert_eq!(segments(&rig), [4, 6]);
    assert_eq!(rig.records(TOPIC), [(4, 4), (5, 5), (6, 6)]);
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(4, 4), (5, 5), (6, 6)]);
    assert_eq!(rig.fetch(TOPIC, 3).error_code, 1);
}

#[test]
fn an_emptied_log_goes_on_where_it_was() {
    let mut rig = rig_with_small_segments(5);
    retain(&mut rig, Retention { bytes: None, ms: Some(1) }, 1_000);
    assert_eq!(segments(&rig), [5]);
    rig.restart();
    assert_eq!(rig.records(TOPIC), []);
    let log = &rig.core.topics.partition(TOPIC, 0).unwrap().log;
    assert_eq!((log.log_start_offset(), log.high_watermark()), (5, 5));
    assert_eq!(rig.produce(TOPIC, batch(&[9])), (0, 5));
    assert_eq!(segments(&rig), [5]);
}

#[test]
fn stored_batches_are_kafkas_with_their_offsets_in_place() {
    let mut rig = rig_with_small_segments(2);
    let file = rig.files.content(&rig.files.named("00000000000000000000.log"));
    let length = batch(&[0]).len();
    assert_eq!(file.len(), 2 * length);
    assert_eq!(file[..8], 0i64.to_be_bytes());
    assert_eq!(file[length..length + 8], 1i64.to_be_bytes());
    assert_eq!(file[length + 12..length + 16], 0i32.to_be_bytes(), "the leader epoch");
    assert_eq!(rig.fetch(TOPIC, 0).records.unwrap(), file);
}
