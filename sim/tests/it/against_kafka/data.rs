//! Records: what is accepted, in which order, and what is found again.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::Transcript;
use super::admin::{create, is_there, named, text};

const NOW_MS: i64 = 1_700_000_000_000;
const FAR_MS: i64 = 4_000_000_000_000;

#[derive(Clone, Copy)]
struct Batch<'a> {
    timestamps: &'a [i64],
    key: bool,
    producer: (i64, i16, i32),
    attributes: u8,
}

const PLAIN: Batch<'_> =
    Batch { timestamps: &[NOW_MS], key: true, producer: (-1, -1, -1), attributes: 0 };

fn encode(batch: Batch<'_>) -> Bytes {
    let (producer_id, producer_epoch, base_sequence) = batch.producer;
    let records: Vec<Record> = (0..)
        .zip(batch.timestamps)
        .map(|(at, timestamp)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch,
            timestamp_type: TimestampType::Creation,
            offset: at,
            sequence: base_sequence.wrapping_add(at as i32),
            timestamp: *timestamp,
            key: batch.key.then(|| Bytes::from_static(b"key")),
            value: Some(Bytes::from_static(b"value")),
            headers: Default::default(),
        })
        .collect();
    let mut encoded = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut encoded, &records, &options).unwrap();
    encoded[22] |= batch.attributes;
    let checksum = crc32c::crc32c(&encoded[21..]);
    encoded[17..21].copy_from_slice(&checksum.to_be_bytes());
    encoded.freeze()
}

async fn produce(told: &mut Transcript, what: &str, topic: &str, acks: i16, batch: Bytes) {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_records(Some(batch));
    let data = TopicProduceData::default().with_name(named(topic)).with_partition_data(vec![data]);
    let request = m::ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![data]);
    told.wire.send(9, &request).await;
    match told.wire.try_receive::<m::ProduceRequest>(9).await {
        Some(response) => {
            let one = &response.responses[0].partition_responses[0];
            let stamp = match one.log_append_time_ms {
                stamp @ (-1 | NOW_MS..=1_700_000_100_000) => stamp,
                _ => 0,
            };
            // Where the log starts is not told to a producer that was refused.
            let start = (one.error_code == 0).then_some(one.log_start_offset);
            let answer = (one.error_code, one.base_offset, start, stamp);
            told.note(what, answer);
        }
        None => {
            told.note(what, "closed");
            told.reconnect().await;
        }
    }
}

async fn topic(told: &mut Transcript, name: &str, configs: &[(&str, &str)]) -> String {
    let name = told.name(name);
    let configs = configs.iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(named(&name))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    create(told, vec![topic], false).await;
    is_there(told, &name, 1).await;
    name
}

pub(super) async fn produced(told: &mut Transcript) {
    let forever = ("retention.ms", "-1");
    let plain = topic(told, "plain", &[forever]).await;
    produce(told, "plain", &plain, -1, encode(PLAIN)).await;
    produce(told, "acks 1", &plain, 1, encode(PLAIN)).await;
    produce(told, "acks 2", &plain, 2, encode(PLAIN)).await;
    produce(told, "future", &plain, -1, encode(Batch { timestamps: &[FAR_MS], ..PLAIN })).await;
    produce(told, "no timestamp", &plain, -1, encode(Batch { timestamps: &[-1], ..PLAIN })).await;
    produce(told, "control", &plain, -1, encode(Batch { attributes: 0x20, ..PLAIN })).await;
    produce(told, "stamped", &plain, -1, encode(Batch { attributes: 0x08, ..PLAIN })).await;
    let missing = told.name("missing");
    produce(told, "missing", &missing, -1, encode(PLAIN)).await;
    let mut two = BytesMut::from(&encode(PLAIN)[..]);
    two.put(encode(PLAIN));
    produce(told, "two batches", &plain, -1, two.freeze()).await;
    let mut damaged = encode(PLAIN).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    produce(told, "damaged", &plain, -1, Bytes::from(damaged)).await;
    produce(told, "nothing", &plain, -1, Bytes::new()).await;
    let small = topic(told, "small", &[("max.message.bytes", "60"), forever]).await;
    produce(told, "too large", &small, -1, encode(PLAIN)).await;
    let brokers = topic(told, "appended", &[("message.timestamp.type", "LogAppendTime")]).await;
    produce(told, "append time", &brokers, -1, encode(PLAIN)).await;
    produce(
        told,
        "append time far",
        &brokers,
        -1,
        encode(Batch { timestamps: &[FAR_MS], ..PLAIN }),
    )
    .await;
    produce(told, "append time stamped", &brokers, -1, encode(Batch { attributes: 0x08, ..PLAIN }))
        .await;
    let compact = topic(told, "compact", &[("cleanup.policy", "compact")]).await;
    produce(told, "keyless", &compact, -1, encode(Batch { key: false, ..PLAIN })).await;
    produce(told, "keyed", &compact, -1, encode(PLAIN)).await;
    let recent =
        topic(told, "recent", &[("message.timestamp.before.max.ms", "1000"), forever]).await;
    produce(told, "too old", &recent, -1, encode(PLAIN)).await;
}

pub(super) async fn sequences(told: &mut Transcript) {
    let topic = topic(told, "sequences", &[("retention.ms", "-1")]).await;
    let from = |id: i64, epoch: i16, sequence: i32, count: usize| {
        encode(Batch {
            timestamps: &[NOW_MS; 9][..count],
            producer: (id, epoch, sequence),
            ..PLAIN
        })
    };
    let steps: &[(i64, i16, i32, usize)] = &[
        (7, 1, 0, 2),
        (7, 1, 2, 1),
        (7, 1, 0, 2),
        (7, 1, 2, 1),
        (7, 1, 2, 2),
        (7, 1, 4, 1),
        (7, 1, 3, 1),
        (7, 1, 4, 1),
        (7, 1, 5, 1),
        (7, 1, 6, 1),
        (7, 1, 7, 1),
        // The first ones are forgotten by now.
        (7, 1, 0, 2),
        (7, 1, 2, 1),
        (7, 1, 3, 1),
        (7, 1, 7, 1),
        (7, 0, 8, 1),
        (7, 2, 5, 1),
        (7, 2, 0, 1),
        (7, 1, 8, 1),
        (7, 2, 0, 1),
        (7, 2, 1, 1),
        // Unknown ones may begin anywhere.
        (8, 0, 5, 1),
        (8, 0, 6, 1),
        (8, 0, 9, 1),
        (9, 0, i32::MAX - 1, 3),
        (9, 0, 1, 1),
        (10, 0, -1, 1),
        (10, -1, 0, 1),
    ];
    for step in steps {
        let batch = from(step.0, step.1, step.2, step.3);
        produce(told, &format!("{step:?}"), &topic, -1, batch).await;
    }
    use m::describe_producers_request::TopicRequest;
    let wanted =
        TopicRequest::default().with_name(named(&topic)).with_partition_indexes(vec![0, 5]);
    let request = m::DescribeProducersRequest::default().with_topics(vec![wanted]);
    let response = told.wire.call(0, &request).await;
    for partition in &response.topics[0].partitions {
        let mut producers: Vec<_> = partition
            .active_producers
            .iter()
            .map(|one| {
                (
                    one.producer_id,
                    one.producer_epoch,
                    one.last_sequence,
                    one.last_timestamp,
                    one.coordinator_epoch,
                    one.current_txn_start_offset,
                )
            })
            .collect();
        producers.sort();
        told.note(
            "producers",
            (partition.error_code, partition.error_message.is_some(), producers),
        );
    }
}

async fn look_up(told: &mut Transcript, topic: &str, version: i16, timestamp: i64) {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition =
        ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let wanted =
        ListOffsetsTopic::default().with_name(named(topic)).with_partitions(vec![partition]);
    let request =
        m::ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
    let response = told.wire.call(version, &request).await;
    let one = &response.topics[0].partitions[0];
    let stamp = one.timestamp.min(NOW_MS + 100_000);
    let question = format!("offset {version} {}", timestamp.min(NOW_MS + 100_000));
    told.note(&question, (one.error_code, one.offset, stamp, one.leader_epoch));
}
async fn fetch(told: &mut Transcript, topic: &str, offset: i64) {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(named(topic)).with_partitions(vec![partition]);
    let request = m::FetchRequest::default()
        .with_min_bytes(1)
        .with_max_wait_ms(100)
        .with_max_bytes(1 << 20)
        .with_topics(vec![wanted]);
    let response = told.wire.call(12, &request).await;
    let one = &response.responses[0].partitions[0];
    let first = one.records.as_ref().and_then(|records| records.get(7).copied());
    let answer =
        (one.error_code, one.high_watermark, one.last_stable_offset, one.log_start_offset, first);
    told.note(&format!("fetch {offset}"), answer);
}

pub(super) async fn deleted_and_looked_up(told: &mut Transcript) {
    let topic = topic(told, "looked-up", &[("retention.ms", "-1")]).await;
    for version in [1, 4, 6, 7, 8, 9, 10] {
        for timestamp in [-1, -2, -3, -4, -5, -6, -9, 5] {
            look_up(told, &topic, version, timestamp).await;
        }
    }
    for timestamps in [
        [NOW_MS + 1, NOW_MS + 5, NOW_MS + 3],
        [NOW_MS + 2, NOW_MS + 9, NOW_MS + 4],
        [NOW_MS + 7; 3],
    ] {
        produce(told, "produce", &topic, -1, encode(Batch { timestamps: &timestamps, ..PLAIN }))
            .await;
    }
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    for offset in [-2, 2, 1, 99, 4] {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let wanted =
            DeleteRecordsTopic::default().with_name(named(&topic)).with_partitions(vec![partition]);
        let request =
            m::DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5_000);
        let response = told.wire.call(2, &request).await;
        let one = &response.topics[0].partitions[0];
        told.note(&format!("delete {offset}"), (one.error_code, one.low_watermark));
        for timestamp in
            [-1, -2, -3, 5, NOW_MS + 1, NOW_MS + 2, NOW_MS + 5, NOW_MS + 6, NOW_MS + 9, NOW_MS + 10]
        {
            look_up(told, &topic, 10, timestamp).await;
        }
        for offset in [0, 1, 2, 3, 4, 8, 9, 10] {
            fetch(told, &topic, offset).await;
        }
    }
    let compact = told.name("compact");
    let partition = DeleteRecordsPartition::default().with_offset(1);
    let wanted =
        [(compact.as_str(), 0), (topic.as_str(), 7), ("missing", 0)].map(|(name, index)| {
            let partition = partition.clone().with_partition_index(index);
            DeleteRecordsTopic::default().with_name(named(name)).with_partitions(vec![partition])
        });
    let request =
        m::DeleteRecordsRequest::default().with_topics(wanted.to_vec()).with_timeout_ms(5_000);
    let response = told.wire.call(2, &request).await;
    let mut answers: Vec<_> = response
        .topics
        .iter()
        .map(|topic| {
            (
                topic.name.to_string(),
                topic.partitions[0].error_code,
                topic.partitions[0].low_watermark,
            )
        })
        .collect();
    answers.sort();
    told.note("delete elsewhere", answers);
    use m::describe_log_dirs_request::DescribableLogDirTopic;
    let wanted =
        DescribableLogDirTopic::default().with_topic(named(&topic)).with_partitions(vec![0, 7]);
    let missing =
        DescribableLogDirTopic::default().with_topic(named("missing")).with_partitions(vec![0]);
    let request = m::DescribeLogDirsRequest::default().with_topics(Some(vec![wanted, missing]));
    let response = told.wire.call(4, &request).await;
    let found: Vec<_> = response.results[0]
        .topics
        .iter()
        .map(|topic| {
            let indexes: Vec<_> = topic
                .partitions
                .iter()
                .map(|one| (one.partition_index, one.offset_lag, one.is_future_key))
                .collect();
            (topic.name.clone(), indexes)
        })
        .collect();
    told.note("log dirs", (response.error_code, response.results.len(), found));
}
