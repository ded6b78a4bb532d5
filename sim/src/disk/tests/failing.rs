//! Full disks, torn writes and failed syncs.

use kafka_protocol::messages as m;

use super::super::syncer::Fsync;
use super::fake::Faults;
use super::rig::{Answer, NOT_COORDINATOR, Rig, STORAGE_ERROR, TOPIC, batch, produced};
use crate::log::batch::tests::batch_from;
use crate::wire::Fatal;

const PRODUCE: i16 = 9;

fn room(bytes: usize) -> Faults {
    Faults { room: Some(bytes), ..Faults::default() }
}

#[test]
fn a_full_disk_refuses_serves_reads_and_recovers() {
    let length = batch(&[1]).len();
    // Whatever of the write still fits leaves no trace.
    for fits in [0, 1, 16, 17, 61, length - 1] {
        let mut rig = Rig::with_topic(Fsync::Never);
        rig.produce(TOPIC, batch(&[1]));
        rig.files.set_faults(room(fits));
        assert_eq!(rig.produce(TOPIC, batch(&[2])).0, STORAGE_ERROR);
        rig.files.set_faults(room(0));
        assert_eq!(rig.create_topic("others", &[]), STORAGE_ERROR);
        assert!(rig.core.topics.get("others").is_none());
        assert_eq!(rig.commit("readers", TOPIC, 1), NOT_COORDINATOR);
        assert_eq!(rig.committed("readers", TOPIC), None);
        assert_eq!(rig.records(TOPIC), [(0, 1)]);
        if fits % 2 == 0 {
            // Even a start has to do without room.
            rig.restart();
            assert_eq!(rig.records(TOPIC), [(0, 1)]);
        }
        rig.files.set_faults(Faults::default());
        assert_eq!(rig.produce(TOPIC, batch(&[3])), (0, 1));
        assert_eq!(rig.commit("readers", TOPIC, 1), 0);
        rig.restart();
        assert_eq!(rig.records(TOPIC), [(0, 1), (1, 3)]);
        assert_eq!(rig.committed("readers", TOPIC), Some(1));
    }
}

#[test]
fn a_torn_write_that_cannot_be_cut_at_once_is_cut_before_the_next() {
    let mut rig = Rig::with_topic(Fsync::Never);
    rig.produce(TOPIC, batch(&[1]));
    rig.files.set_faults(Faults { truncates_fail: true, ..room(20) });
    assert_eq!(rig.produce(TOPIC, batch(&[2])).0, STORAGE_ERROR);
    rig.files.set_faults(Faults { truncates_fail: true, ..Faults::default() });
    assert_eq!(rig.produce(TOPIC, batch(&[2])).0, STORAGE_ERROR, "there is still a trace");
    rig.files.set_faults(Faults::default());
    assert_eq!(rig.produce(TOPIC, batch(&[3])), (0, 1));
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 1), (1, 3)]);
}

#[test]
fn a_refused_batch_of_an_idempotent_producer_can_be_sent_again() {
    let mut rig = Rig::with_topic(Fsync::Never);
    let sent = |sequence| batch_from(&[1], 9, 7, 0, sequence);
    assert_eq!(rig.produce(TOPIC, sent(0)), (0, 0));
    rig.files.set_faults(room(30));
    assert_eq!(rig.produce(TOPIC, sent(1)).0, STORAGE_ERROR);
    rig.files.set_faults(Faults::default());
    assert_eq!(rig.produce(TOPIC, sent(1)), (0, 1));
}

#[test]
fn producer_ids_that_cannot_be_recorded_are_not_given() {
    let mut rig = Rig::new(Fsync::Never);
    rig.files.set_faults(room(0));
    let request = m::InitProducerIdRequest::default().with_transactional_id(None);
    let response = rig.call(0, &request).unwrap().now();
    assert_eq!((response.error_code, response.producer_id.0), (14, -1));
    rig.files.set_faults(Faults::default());
    let response = rig.call(0, &request).unwrap().now();
    assert_eq!(response.error_code, 0);
}

#[test]
fn an_unreadable_batch_is_a_storage_error() {
    let mut rig = Rig::with_topic(Fsync::Never);
    rig.produce(TOPIC, batch(&[1]));
    rig.files.set_faults(Faults { reads_fail: true, ..Faults::default() });
    assert_eq!(rig.fetch(TOPIC, 0).error_code, STORAGE_ERROR);
    rig.files.set_faults(Faults::default());
    assert_eq!(rig.fetch(TOPIC, 0).error_code, 0);
}

#[test]
fn with_always_nothing_is_acknowledged_before_it_is_synced() {
    let mut rig = Rig::with_topic(Fsync::Always);
    let sent = || batch_from(&[1], 9, 7, 0, 0);
    let Answer::Held(first) = rig.try_produce(TOPIC, sent()).unwrap() else {
        panic!("acknowledged before it was synced");
    };
    // A retry over another connection is a duplicate, and its answer acknowledges the same.
    let Answer::Held(second) = rig.try_produce(TOPIC, sent()).unwrap() else {
        panic!("the duplicate was acknowledged before it was synced");
    };
    assert!(rig.resume::<m::ProduceRequest>(PRODUCE, first).unwrap().is_none(), "not yet");
    assert_eq!(rig.sync(), [first, second]);
    for token in [first, second] {
        let response = rig.resume::<m::ProduceRequest>(PRODUCE, token).unwrap().unwrap();
        assert_eq!(produced(&response), (0, 0));
    }
    // What was synced long ago needs no sync.
    assert_eq!(produced(&rig.try_produce(TOPIC, sent()).unwrap().now()), (0, 0));
    rig.files.cut_power(0);
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 1)]);
}

#[test]
fn a_client_that_left_is_not_answered() {
    let mut rig = Rig::with_topic(Fsync::Always);
    let Answer::Held(token) = rig.try_produce(TOPIC, batch(&[1])).unwrap() else {
        panic!("acknowledged before it was synced");
    };
    rig.core.forget(token);
    assert!(rig.sync().is_empty());
}

#[test]
fn what_could_not_be_synced_is_not_acknowledged_and_not_written_behind() {
    let mut rig = Rig::with_topic(Fsync::Always);
    assert_eq!(rig.produce(TOPIC, batch(&[1])), (0, 0));
    let Answer::Held(token) = rig.try_produce(TOPIC, batch(&[2])).unwrap() else {
        panic!("acknowledged before it was synced");
    };
    rig.files.set_faults(Faults { syncs_fail: true, ..Faults::default() });
    assert_eq!(rig.sync(), [token]);
    assert_eq!(rig.resume::<m::ProduceRequest>(PRODUCE, token), Err(Fatal::Unsynced));
    rig.files.set_faults(Faults::default());
    // The system may have dropped the bytes: a later sync that succeeds would prove nothing.
    assert_eq!(rig.produce(TOPIC, batch(&[3])).0, STORAGE_ERROR);
    rig.files.cut_power(0);
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 1)]);
    assert_eq!(rig.produce(TOPIC, batch(&[4])), (0, 1));
}

#[test]
fn a_sync_for_which_there_was_no_descriptor_is_made_up_for() {
    let mut rig = Rig::with_topic(Fsync::Always);
    let Answer::Held(token) = rig.try_produce(TOPIC, batch(&[1])).unwrap() else {
        panic!("acknowledged before it was synced");
    };
    rig.files.set_faults(Faults { syncs_untried: true, ..Faults::default() });
    assert!(rig.sync().is_empty());
    rig.files.set_faults(Faults::default());
    assert_eq!(rig.sync(), [token]);
    rig.files.cut_power(0);
    rig.restart();
    assert_eq!(rig.records(TOPIC), [(0, 1)]);
}

#[test]
fn a_journal_that_could_not_be_synced_is_replaced() {
    let mut rig = Rig::with_topic(Fsync::Always);
    rig.files.set_faults(Faults { syncs_fail: true, ..Faults::default() });
    assert_eq!(rig.core.new_producer_id().map(|_| ()), Ok(()));
    rig.sync();
    assert_eq!(rig.create_topic("others", &[]), STORAGE_ERROR);
    rig.files.set_faults(Faults::default());
    assert_eq!(rig.create_topic("others", &[]), 0);
    rig.files.cut_power(0);
    rig.restart();
    assert!(rig.core.topics.get("others").is_some());
    assert!(rig.core.topics.get(TOPIC).is_some());
}

#[test]
fn a_closed_directory_takes_nothing_more() {
    let mut rig = Rig::with_topic(Fsync::Never);
    rig.produce(TOPIC, batch(&[1]));
    rig.core.storage.close();
    assert_eq!(rig.produce(TOPIC, batch(&[2])).0, STORAGE_ERROR);
    assert_eq!(rig.create_topic("others", &[]), STORAGE_ERROR);
}
