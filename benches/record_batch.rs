//! Appending and fetching record batches, through the broker's in-process handle: a whole request from its
//! frame to its answer, without a socket.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    FetchRequest, MetadataRequest, ProduceRequest, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use sim::{Broker, Options, Session};

const VALUE_BYTES: usize = 300;
/// What the partition keeps while it is appended to for seconds.
const RETENTION_BYTES: u64 = 64 << 20;
const PRODUCE: i16 = 7;
const FETCH: i16 = 4;
const METADATA: i16 = 4;

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("bench"))
}

/// Header and body, without the size.
fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .encode(&mut frame, R::header_version(version))
        .expect("a header of that version");
    request.encode(&mut frame, version).expect("a body of that version");
    frame.freeze()
}

fn batch(records: usize) -> Bytes {
    let record = |number: usize| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(number).unwrap_or_default(),
        // Consecutive, or the encoder begins another batch, which a request may not have.
        sequence: i32::try_from(number).unwrap_or_default() - 1,
        timestamp: 1_750_000_000_000,
        key: Some(Bytes::from_static(b"0192f5a0-7b7c-4c3e-9d3a-1b2c3d4e5f60")),
        value: Some(Bytes::from(vec![b'x'; VALUE_BYTES])),
        headers: Default::default(),
    };
    let records: Vec<Record> = (0..records).map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut encoded = BytesMut::new();
    RecordBatchEncoder::encode(&mut encoded, &records, &options).expect("plain records");
    encoded.freeze()
}

fn produce(records: usize) -> Bytes {
    let partition =
        PartitionProduceData::default().with_index(0).with_records(Some(batch(records)));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(vec![data]);
    frame(PRODUCE, &request)
}

fn fetch(offset: i64, max_bytes: i32) -> Bytes {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_min_bytes(1)
        .with_max_bytes(max_bytes)
        .with_topics(vec![topic]);
    frame(FETCH, &request)
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let options =
        Options { partitions: 1, retention_bytes: Some(RETENTION_BYTES), ..Options::default() };
    let broker = Broker::start_with(options).expect("a free port");
    let mut session = broker.session();
    let mut ask = |request: &Bytes| answer(&runtime, &mut session, request);
    let create = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic()))]))
        .with_allow_auto_topic_creation(true);
    ask(&frame(METADATA, &create));

    let mut group = criterion.benchmark_group("record batch");
    for records in [1_usize, 100] {
        let request = produce(records);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(format!("append {records} of {VALUE_BYTES} bytes"), |bencher| {
            bencher.iter(|| ask(black_box(&request)));
        });
    }
    // The newest end of the log, which retention never takes: a fetch from the start could find nothing.
    let end = latest_offset(&mut ask);
    for records in [1_i64, 100] {
        let size = i32::try_from(batch(1).len()).unwrap_or(i32::MAX);
        let request = fetch(end - records, size * i32::try_from(records).unwrap_or(1));
        group.throughput(Throughput::Elements(records.unsigned_abs()));
        group.bench_function(format!("fetch {records} of {VALUE_BYTES} bytes"), |bencher| {
            bencher.iter(|| ask(black_box(&request)));
        });
    }
    group.finish();
}

/// The offset after the last record: appends a batch and reads its base offset from the answer's end.
fn latest_offset(ask: &mut impl FnMut(&Bytes) -> Bytes) -> i64 {
    let answer = ask(&produce(100));
    // …, base_offset i64, log_append_time i64, log_start_offset i64, throttle_time i32
    let at = answer.len() - 4 - 8 - 8 - 8;
    let base = answer.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    i64::from_be_bytes(base) + 100
}

fn answer(runtime: &tokio::runtime::Runtime, session: &mut Session, request: &Bytes) -> Bytes {
    runtime
        .block_on(session.request(request.clone()))
        .expect("a request of the protocol")
        .expect("an answer")
}

criterion_group! {
    name = record_batch;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = benches
}
criterion_main!(record_batch);
