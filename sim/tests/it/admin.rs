//! Administration as clients see its effects.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use rskafka::chrono::DateTime;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;
use sim::{Broker, Options};

use crate::wire::{Wire, batch, frame_of};

const OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const TOO_LARGE: i16 = 10;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn named(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

async fn create(wire: &mut Wire, name: &str, configs: &[(&'static str, &'static str)]) {
    use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
    let configs = configs.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(named(name))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request = m::CreateTopicsRequest::default().with_topics(vec![topic]);
    assert_eq!(wire.call(7, &request).await.topics[0].error_code, 0);
}

async fn produce(
    wire: &mut Wire,
    topic: &str,
    partition: i32,
    batch: Bytes,
) -> PartitionProduceResponse {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let data = TopicProduceData::default().with_name(named(topic)).with_partition_data(vec![data]);
    let request = m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    wire.call(9, &request).await.responses[0].partition_responses[0].clone()
}

fn fetch(topic: &str, offset: i64, min_bytes: i32) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition =
        FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(named(topic)).with_partitions(vec![partition]);
    m::FetchRequest::default()
        .with_min_bytes(min_bytes)
        .with_max_wait_ms(60_000)
        .with_max_bytes(1 << 20)
        .with_topics(vec![wanted])
}

async fn offset_at(wire: &mut Wire, topic: &str, timestamp: i64) -> (i64, i64) {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let wanted =
        ListOffsetsTopic::default().with_name(named(topic)).with_partitions(vec![partition]);
    let request =
        m::ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
    let response = wire.call(7, &request).await;
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.offset, partition.timestamp)
}

async fn alter(wire: &mut Wire, kind: i8, resource: &str, name: &'static str, value: &'static str) {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(named(resource).0)
        .with_configs(vec![config]);
    let request = m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(wire.call(1, &request).await.responses[0].error_code, 0);
}

#[tokio::test]
async fn who_waits_for_deleted_records_is_told_at_once() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    create(&mut wire, "orders", &[]).await;
    produce(&mut wire, "orders", 0, batch(&["a", "b"], -1, -1)).await;
    let mut reader = Wire::connect(broker.address()).await;
    // Both frames arrive in one piece: the answer to the first shows that the second was read, too.
    let asked = frame_of(0, 1, &m::ApiVersionsRequest::default());
    let waits = frame_of(12, 2, &fetch("orders", 0, 1 << 20));
    reader.send_bytes(&[&asked[..], &waits].concat()).await;
    reader.receive::<m::ApiVersionsRequest>(0).await;
    let mut other = Wire::connect(broker.address()).await;
    other.send(12, &fetch("orders", 2, 1)).await;
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let partition = DeleteRecordsPartition::default().with_offset(1);
    let topic =
        DeleteRecordsTopic::default().with_name(named("orders")).with_partitions(vec![partition]);
    let request = m::DeleteRecordsRequest::default().with_topics(vec![topic]);
    let deleted = wire.call(2, &request).await;
    assert_eq!(deleted.topics[0].partitions[0].low_watermark, 1);
    let told = reader.receive::<m::FetchRequest>(12).await;
    assert_eq!(told.responses[0].partitions[0].error_code, OUT_OF_RANGE);
    // Whoever waits for what is to come goes on waiting for it.
    produce(&mut wire, "orders", 0, batch(&["c"], -1, -1)).await;
    let told = other.receive::<m::FetchRequest>(12).await;
    assert_eq!(told.responses[0].partitions[0].high_watermark, 3);
    assert_eq!(offset_at(&mut wire, "orders", -2).await.0, 1);
}

#[tokio::test]
async fn a_topic_may_take_the_brokers_time() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    create(&mut wire, "orders", &[("message.timestamp.type", "LogAppendTime")]).await;
    let first = produce(&mut wire, "orders", 0, batch(&["a", "b"], 7, 0)).await;
    let stamp = first.log_append_time_ms;
    assert!(stamp > 1_700_000_000_000, "{stamp} is no present time");
    let again = produce(&mut wire, "orders", 0, batch(&["a", "b"], 7, 0)).await;
    assert_eq!((again.base_offset, again.log_append_time_ms), (0, stamp), "a duplicate");
    let fetched = wire.call(12, &fetch("orders", 0, 1)).await;
    let mut records = fetched.responses[0].partitions[0].records.clone().unwrap();
    let read = RecordBatchDecoder::decode(&mut records).unwrap().records;
    assert_eq!(read.len(), 2, "its checksum is sound");
    assert_eq!(offset_at(&mut wire, "orders", stamp).await, (0, stamp));
    assert_eq!(offset_at(&mut wire, "orders", stamp + 1).await, (-1, -1));
    assert_eq!(offset_at(&mut wire, "orders", -3).await, (0, stamp));
}

#[tokio::test]
async fn a_timestamp_is_found_inside_batches_of_every_codec() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    create(&mut wire, "orders", &[]).await;
    let client = ClientBuilder::new(vec![broker.address().to_string()]).build().await.unwrap();
    let partition =
        client.partition_client("orders", 0, UnknownTopicHandling::Error).await.unwrap();
    let mut base = 0;
    let mut time = 1_000;
    for codec in [
        Compression::NoCompression,
        Compression::Gzip,
        Compression::Lz4,
        Compression::Snappy,
        Compression::Zstd,
    ] {
        let record = |timestamp: i64| Record {
            key: None,
            value: Some(vec![b'v'; 300]),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp_millis(timestamp).unwrap(),
        };
        let records = (0..10).map(|at| record(time + at * 10)).collect();
        partition.produce(records, codec).await.unwrap();
        assert_eq!(offset_at(&mut wire, "orders", time + 31).await, (base + 4, time + 40));
        assert_eq!(offset_at(&mut wire, "orders", -3).await, (base + 9, time + 90));
        base += 10;
        time += 1_000;
    }
}

#[tokio::test]
async fn new_partitions_take_records_and_settings_take_effect_at_once() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    create(&mut wire, "orders", &[]).await;
    let sound = || batch(&["value"], -1, -1);
    assert_eq!(produce(&mut wire, "orders", 1, sound()).await.error_code, UNKNOWN_TOPIC);
    use m::create_partitions_request::CreatePartitionsTopic;
    let more = CreatePartitionsTopic::default()
        .with_name(named("orders"))
        .with_count(2)
        .with_assignments(None);
    let request = m::CreatePartitionsRequest::default().with_topics(vec![more]);
    assert_eq!(wire.call(3, &request).await.results[0].error_code, 0);
    assert_eq!(produce(&mut wire, "orders", 1, sound()).await.error_code, 0);
    // The topic follows the broker until it is told otherwise itself.
    alter(&mut wire, BROKER, "", "message.max.bytes", "10").await;
    assert_eq!(produce(&mut wire, "orders", 1, sound()).await.error_code, TOO_LARGE);
    alter(&mut wire, TOPIC, "orders", "max.message.bytes", "1000").await;
    assert_eq!(produce(&mut wire, "orders", 1, sound()).await.error_code, 0);
}

#[tokio::test]
async fn settings_are_given_at_start_and_nonsense_stops_it() {
    let with = |name: &str, value: &str| {
        let config = vec![(name.to_owned(), value.to_owned())];
        Broker::start(Options { config, ..Options::default() })
    };
    for (name, value) in [("no.such", "1"), ("num.partitions", "0"), ("node.id", "2")] {
        let refused = with(name, value).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::InvalidInput), "{name}");
    }
    let broker = with("auto.create.topics.enable", "false").unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    let wanted = m::metadata_request::MetadataRequestTopic::default();
    let wanted = vec![wanted.with_name(Some(named("orders")))];
    let request = m::MetadataRequest::default().with_topics(Some(wanted));
    assert_eq!(wire.call(12, &request).await.topics[0].error_code, UNKNOWN_TOPIC);
    let broker = with("num.partitions", "7").unwrap();
    let mut wire = Wire::connect(broker.address()).await;
    assert_eq!(wire.call(12, &request).await.topics[0].partitions.len(), 7);
}
