//! What a data directory promises, to real processes that are really killed.

mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kafka_protocol::messages as m;
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use tokio::sync::watch;

use crate::process::{BrokerProcess, text};
use crate::wire::{Wire, batch};

const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const STORAGE_ERROR: i16 = 56;
const WRITERS: i32 = 4;

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("readers"))
}

async fn create_topic(wire: &mut Wire, settings: &[(&'static str, &str)]) -> i16 {
    use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
    let config = settings.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string((*value).to_owned())))
    });
    let wanted = CreatableTopic::default()
        .with_name(topic())
        .with_num_partitions(WRITERS)
        .with_replication_factor(1)
        .with_configs(config.collect());
    let request = m::CreateTopicsRequest::default().with_topics(vec![wanted]);
    wire.call(7, &request).await.topics[0].error_code
}

fn produce_request(
    partition: i32,
    values: &[&str],
    producer: i64,
    first: i32,
) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(batch(values, producer, first)));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data])
}

async fn produce(wire: &mut Wire, partition: i32, values: &[&str]) -> i16 {
    let response = wire.call(PRODUCE, &produce_request(partition, values, -1, -1)).await;
    response.responses[0].partition_responses[0].error_code
}

fn commit_request(partition: i32, offset: i64) -> m::OffsetCommitRequest {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset);
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    m::OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

async fn committed(wire: &mut Wire, partition: i32) -> i64 {
    use m::offset_fetch_request::OffsetFetchRequestTopic;
    let wanted = OffsetFetchRequestTopic::default()
        .with_name(topic())
        .with_partition_indexes(vec![partition]);
    let request =
        m::OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![wanted]));
    wire.call(5, &request).await.topics[0].partitions[0].committed_offset
}

async fn fetch(wire: &mut Wire, partition: i32, offset: i64) -> m::fetch_response::PartitionData {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
    let request = m::FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![wanted]);
    wire.call(FETCH, &request).await.responses[0].partitions[0].clone()
}

/// The values of a partition, from the first on; their offsets leave no gap.
async fn values(wire: &mut Wire, partition: i32) -> Vec<String> {
    let mut values = Vec::new();
    loop {
        let fetched = fetch(wire, partition, values.len() as i64).await;
        assert_eq!(fetched.error_code, 0);
        let mut bytes = fetched.records.unwrap();
        if bytes.is_empty() {
            return values;
        }
        while !bytes.is_empty() {
            for record in RecordBatchDecoder::decode(&mut bytes).unwrap().records {
                assert_eq!(record.offset, values.len() as i64);
                values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
    }
}

/// An idempotent producer and committer of one partition that outlives brokers: what was not
/// acknowledged by one it sends again to the next, under the same sequence number.
struct Writer {
    partition: i32,
    broker: watch::Receiver<Option<std::net::SocketAddr>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    /// Returns how many records and which committed offset were acknowledged.
    async fn run(mut self) -> (i32, i64) {
        let (mut written, mut committed) = (0, -1);
        while !self.stop.load(Ordering::Relaxed) {
            let Some(address) = *self.broker.borrow_and_update() else {
                self.broker.changed().await.unwrap();
                continue;
            };
            let gone = self.write(address, &mut written, &mut committed).await;
            if gone && *self.broker.borrow() == Some(address) {
                // Its successor is announced soon.
                self.broker.changed().await.unwrap();
            }
        }
        (written, committed)
    }

    /// Writes until the connection is lost.
    async fn write(
        &self,
        address: std::net::SocketAddr,
        written: &mut i32,
        committed: &mut i64,
    ) -> bool {
        let Some(mut wire) = Wire::try_connect(address).await else { return true };
        while !self.stop.load(Ordering::Relaxed) {
            let value = written.to_string();
            let producer = i64::from(self.partition) + 1;
            let request = produce_request(self.partition, &[&value], producer, *written);
            let Some(response) = wire.try_call(PRODUCE, &request).await else { return true };
            let result = &response.responses[0].partition_responses[0];
            assert_eq!((result.error_code, result.base_offset), (0, i64::from(*written)));
            *written += 1;
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            if *written % 5 == 0 {
                let offset = i64::from(*written);
                let request = commit_request(self.partition, offset);
                let Some(response) = wire.try_call(8, &request).await else { return true };
                assert_eq!(response.topics[0].partitions[0].error_code, 0);
                *committed = offset;
            }
        }
        false
    }
}

/// Kills brokers under load, several times, and then looks for everything that was acknowledged.
async fn kill_rounds(mode: &str, rounds: u64) {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", text(directory.path()), "--fsync", mode];
    let mut broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(create_topic(&mut wire, &[("segment.bytes", "20000")]).await, 0);
    let (announce, announced) = watch::channel(Some(broker.address));
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|partition| {
            let (broker, stop) = (announced.clone(), stop.clone());
            let acknowledged = acknowledged.clone();
            tokio::spawn(Writer { partition, broker, stop, acknowledged }.run())
        })
        .collect();
    for _ in 0..rounds {
        // Well into the load, wherever that happens to be.
        let enough = acknowledged.load(Ordering::Relaxed) + 150;
        while acknowledged.load(Ordering::Relaxed) < enough {
            assert!(!writers.iter().any(|writer| writer.is_finished()), "a writer failed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        broker.kill();
        broker = BrokerProcess::start(&arguments);
        announce.send(Some(broker.address)).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    announce.send(Some(broker.address)).unwrap();
    let mut wire = Wire::connect(broker.address).await;
    for (partition, writer) in (0..).zip(writers) {
        let (written, last_commit) = writer.await.unwrap();
        let found = values(&mut wire, partition).await;
        let expected: Vec<String> = (0..written).map(|value| value.to_string()).collect();
        assert_eq!(found[..expected.len()], expected, "every one, once, in order");
        assert!(found.len() <= expected.len() + 1, "one more may have been under way");
        let committed = committed(&mut wire, partition).await;
        assert!(committed >= last_commit, "{committed} is behind {last_commit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_always_everything_acknowledged_survives_kills_under_load() {
    kill_rounds("always", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_interval_everything_acknowledged_survives_kills_under_load() {
    kill_rounds("interval", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_never_everything_acknowledged_survives_kills_under_load() {
    kill_rounds("never", 4).await;
}

#[tokio::test]
async fn a_clean_end_and_a_start_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", text(directory.path()), "--fsync", "never"];
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    create_topic(&mut wire, &[]).await;
    assert_eq!(produce(&mut wire, 1, &["a", "b"]).await, 0);
    wire.call(8, &commit_request(1, 1)).await;
    assert!(broker.terminate().success());
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(values(&mut wire, 1).await, ["a", "b"]);
    assert_eq!(committed(&mut wire, 1).await, 1);
}

#[tokio::test]
async fn a_broker_in_this_process_hands_its_directory_on() {
    let directory = tempfile::tempdir().unwrap();
    let options = || sim::Options {
        data_dir: Some(directory.path().to_owned()),
        fsync: sim::Fsync::Always,
        ..sim::Options::default()
    };
    let broker = sim::Broker::start_with(options()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    create_topic(&mut wire, &[]).await;
    assert_eq!(produce(&mut wire, 0, &["a"]).await, 0);
    let mut left_over = broker.session();
    broker.stop().await;
    let broker = sim::Broker::start_with(options()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    assert_eq!(values(&mut wire, 0).await, ["a"]);
    // A session with the broker before this one must not write behind its back.
    let late = crate::wire::frame_of(PRODUCE, 1, &produce_request(0, &["late"], -1, -1));
    left_over.request(late.slice(4..)).await.unwrap();
    assert_eq!(produce(&mut wire, 0, &["b"]).await, 0);
    assert_eq!(values(&mut wire, 0).await, ["a", "b"]);
}
