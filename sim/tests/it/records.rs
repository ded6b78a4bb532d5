//! What happens to records: idempotent producers, waiting fetches, retention, odd offsets.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::protocol::StrBytes;
use sim::{Broker, Options};

use crate::wire::{Wire, batch};

const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const OUT_OF_ORDER: i16 = 45;

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

async fn broker_with_topic(options: Options) -> (Broker, Wire) {
    let broker = Broker::start(Options { partitions: 1, ..options }).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let wanted = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
    wire.call(4, &m::MetadataRequest::default().with_topics(Some(vec![wanted]))).await;
    (broker, wire)
}

async fn produce(wire: &mut Wire, records: Bytes) -> PartitionProduceResponse {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let request = m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    wire.call(PRODUCE, &request).await.responses[0].partition_responses[0].clone()
}

fn fetch(offset: i64, min_bytes: i32, max_wait_ms: i32) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition =
        FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    m::FetchRequest::default()
        .with_min_bytes(min_bytes)
        .with_max_wait_ms(max_wait_ms)
        .with_max_bytes(1 << 20)
        .with_topics(vec![wanted])
}

async fn fetched(wire: &mut Wire) -> PartitionData {
    let answer =
        tokio::time::timeout(Duration::from_secs(20), wire.receive::<m::FetchRequest>(FETCH));
    answer.await.expect("answered in time").responses[0].partitions[0].clone()
}

#[tokio::test]
async fn a_repeated_batch_is_stored_once_and_a_gap_is_refused() {
    let (_broker, mut wire) = broker_with_topic(Options::default()).await;
    let first = produce(&mut wire, batch(&["a", "b"], 7, 0)).await;
    let second = produce(&mut wire, batch(&["c"], 7, 2)).await;
    assert_eq!((first.base_offset, second.base_offset), (0, 2));
    let again = produce(&mut wire, batch(&["a", "b"], 7, 0)).await;
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    assert_eq!(produce(&mut wire, batch(&["e"], 7, 4)).await.error_code, OUT_OF_ORDER);
    assert_eq!(produce(&mut wire, batch(&["d"], 7, 3)).await.base_offset, 3);
}

#[tokio::test]
async fn damaged_batches_are_refused_and_the_connection_lives() {
    let (_broker, mut wire) = broker_with_topic(Options::default()).await;
    let sound = batch(&["value"], -1, -1);
    let mut damaged = sound.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(produce(&mut wire, Bytes::from(damaged)).await.error_code, 2);
    let two = [&sound[..], &sound].concat();
    assert_eq!(produce(&mut wire, Bytes::from(two)).await.error_code, 87);
    assert_eq!(produce(&mut wire, Bytes::new()).await.error_code, 87);
    let large = batch(&[&"x".repeat(1_100_000)], -1, -1);
    assert_eq!(produce(&mut wire, large).await.error_code, 10);
    assert_eq!(produce(&mut wire, sound).await.base_offset, 0);
}

#[tokio::test]
async fn large_batches_come_back_as_they_went() {
    let (_broker, mut wire) = broker_with_topic(Options::default()).await;
    let large = batch(&[&"x".repeat(600_000)], -1, -1);
    let small = batch(&["y"], -1, -1);
    for records in [&small, &large, &small, &large] {
        produce(&mut wire, records.clone()).await;
    }
    wire.send(FETCH, &fetch(1, 1, 0)).await;
    let records = fetched(&mut wire).await.records.unwrap();
    // The first 16 bytes of a batch are the broker's: offset, length, leader epoch.
    let expected = [&large, &small];
    assert_eq!(records.len(), large.len() + small.len(), "a third batch exceeds the limit");
    let mut at = 0;
    for (offset, sent) in (1i64..).zip(expected) {
        assert_eq!(records[at..at + 8], offset.to_be_bytes());
        assert_eq!(records[at + 16..at + sent.len()], sent[16..]);
        at += sent.len();
    }
}

#[tokio::test]
async fn an_offset_inside_a_batch_gets_the_whole_batch() {
    let (_broker, mut wire) = broker_with_topic(Options::default()).await;
    produce(&mut wire, batch(&["a", "b", "c"], -1, -1)).await;
    produce(&mut wire, batch(&["d"], -1, -1)).await;
    wire.send(FETCH, &fetch(2, 1, 0)).await;
    let answer = fetched(&mut wire).await;
    assert_eq!((answer.error_code, answer.high_watermark), (0, 4));
    let records = answer.records.unwrap();
    assert_eq!(records[..8], 0i64.to_be_bytes());
    let whole = batch(&["a", "b", "c"], -1, -1).len() + batch(&["d"], -1, -1).len();
    assert_eq!(records.len(), whole);
}

#[tokio::test]
async fn a_fetch_waits_for_enough_bytes() {
    let (broker, mut wire) = broker_with_topic(Options::default()).await;
    let one = batch(&["a"], -1, -1).len() as i32;
    let mut reader = Wire::connect(broker.address()).await;
    reader.send(FETCH, &fetch(0, 2 * one, 60_000)).await;
    produce(&mut wire, batch(&["a"], -1, -1)).await;
    produce(&mut wire, batch(&["b"], -1, -1)).await;
    let answer = fetched(&mut reader).await;
    assert!(answer.records.unwrap().len() as i32 >= 2 * one);
}

#[tokio::test]
async fn a_fetch_whose_time_is_up_is_answered_with_empty_records() {
    let (_broker, mut wire) = broker_with_topic(Options::default()).await;
    wire.send(FETCH, &fetch(0, 1, 30)).await;
    let answer = fetched(&mut wire).await;
    assert_eq!((answer.error_code, answer.records), (0, Some(Bytes::new())));
}

#[tokio::test]
async fn requests_behind_a_waiting_fetch_are_answered_after_it() {
    let (broker, mut wire) = broker_with_topic(Options::default()).await;
    let mut reader = Wire::connect(broker.address()).await;
    reader.send(FETCH, &fetch(0, 1, 60_000)).await;
    reader.send(0, &m::ApiVersionsRequest::default()).await;
    produce(&mut wire, batch(&["a"], -1, -1)).await;
    assert!(!fetched(&mut reader).await.records.unwrap().is_empty());
    reader.receive::<m::ApiVersionsRequest>(0).await;
}

#[tokio::test]
async fn thousands_of_fetches_wait_and_are_woken_by_one_record() {
    let (broker, mut wire) = broker_with_topic(Options::default()).await;
    let mut readers = Vec::new();
    for _ in 0..2_000 {
        let mut session = broker.session();
        let request = crate::wire::frame_of(FETCH, 1, &fetch(0, 1, 60_000)).slice(4..);
        readers.push(tokio::spawn(async move { session.request(request).await }));
    }
    tokio::task::yield_now().await;
    produce(&mut wire, batch(&["for all"], -1, -1)).await;
    for reader in readers {
        let answer = tokio::time::timeout(Duration::from_secs(20), reader).await;
        let answer = answer.expect("woken").unwrap().unwrap().unwrap();
        assert!(answer.windows(7).any(|bytes| bytes == b"for all"));
    }
}

#[tokio::test]
async fn deleting_a_topic_answers_who_waits_in_it() {
    let (broker, mut wire) = broker_with_topic(Options::default()).await;
    let mut reader = Wire::connect(broker.address()).await;
    reader.send(FETCH, &fetch(0, 1, 60_000)).await;
    let deleted = m::DeleteTopicsRequest::default().with_topic_names(vec![topic()]);
    assert_eq!(wire.call(3, &deleted).await.responses[0].error_code, 0);
    assert_eq!(fetched(&mut reader).await.error_code, UNKNOWN_TOPIC);
    assert_eq!(produce(&mut wire, batch(&["a"], -1, -1)).await.error_code, UNKNOWN_TOPIC);
}

#[tokio::test]
async fn retention_by_bytes_moves_the_start() {
    let one = batch(&["0"], -1, -1).len() as u64;
    let options = Options { retention_bytes: Some(3 * one), ..Options::default() };
    let (_broker, mut wire) = broker_with_topic(options).await;
    for at in 0..10 {
        produce(&mut wire, batch(&[&at.to_string()], -1, -1)).await;
    }
    wire.send(FETCH, &fetch(0, 1, 60_000)).await;
    let answer = fetched(&mut wire).await;
    assert_eq!(answer.error_code, OUT_OF_RANGE);
    assert_eq!(answer.records, Some(Bytes::new()));
    wire.send(FETCH, &fetch(7, 1, 60_000)).await;
    let answer = fetched(&mut wire).await;
    assert_eq!(answer.log_start_offset, 7);
    assert_eq!(answer.records.unwrap().len() as u64, 3 * one);
}

#[tokio::test]
async fn retention_by_time_removes_what_is_old() {
    let options = Options { retention: Some(Duration::from_secs(3_600)), ..Options::default() };
    let (_broker, mut wire) = broker_with_topic(options).await;
    // The records of the tests date from 1970.
    produce(&mut wire, batch(&["old"], -1, -1)).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        wire.send(FETCH, &fetch(1, 1, 20)).await;
        if fetched(&mut wire).await.log_start_offset == 1 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "never removed");
    }
}
