//! A light client of our own, for what Kafka's tools cannot do: thousands of connections, and a first answer
//! within milliseconds. Blocking sockets, frames that are encoded once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, MetadataRequest,
    ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

const API_VERSIONS: i16 = 0;
const METADATA: i16 = 4;
const CREATE_TOPICS: i16 = 5;
const DELETE_TOPICS: i16 = 6;
pub(crate) const PRODUCE: i16 = 7;
pub(crate) const FETCH: i16 = 11;

/// No answer may take longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
const TOPIC_RETRY: Duration = Duration::from_millis(20);

pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self { stream })
    }

    /// Sends a whole frame, size included.
    pub(crate) fn send(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(frame)?)
    }

    /// Receives one frame, without its size.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size))?];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        self.send(&frame(version, request)?)?;
        decode::<R>(version, self.receive()?)
    }

    pub(crate) fn api_versions(&mut self) -> anyhow::Result<()> {
        let answer = self.ask(API_VERSIONS, &ApiVersionsRequest::default())?;
        ensure!(answer.error_code == 0, "ApiVersions: error {}", answer.error_code);
        Ok(())
    }

    /// Creates a topic and waits until each of its partitions has a leader.
    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) -> anyhow::Result<()> {
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let answer = self.ask(CREATE_TOPICS, &request)?;
        ensure!(
            answer.topics.iter().all(|topic| topic.error_code == 0),
            "CreateTopics: {answer:?}"
        );
        self.retry("Metadata", |client| client.has_leaders(name, partitions))
    }

    /// Asks until the answer is the one that is waited for.
    pub(crate) fn retry(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let asked = Instant::now();
        while !ask(self)? {
            ensure!(asked.elapsed() < ANSWER_LIMIT, "{what} does not settle");
            std::thread::sleep(TOPIC_RETRY);
        }
        Ok(())
    }

    fn has_leaders(&mut self, name: &str, partitions: i32) -> anyhow::Result<bool> {
        let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let answer = self.ask(METADATA, &request)?;
        let led = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let led = led.filter(|partition| partition.error_code == 0 && partition.leader_id.0 >= 0);
        Ok(led.count() == usize::try_from(partitions)?)
    }

    pub(crate) fn delete_topic(&mut self, name: &str) -> anyhow::Result<()> {
        let topic = DeleteTopicState::default().with_name(Some(topic_name(name)));
        let request =
            DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let answer = self.ask(DELETE_TOPICS, &request)?;
        ensure!(
            answer.responses.iter().all(|topic| topic.error_code == 0),
            "DeleteTopics: {answer:?}"
        );
        Ok(())
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A request as it goes over the wire: size, header, body.
fn frame<R: Request>(version: i16, request: &R) -> anyhow::Result<Bytes> {
    let mut frame = BytesMut::zeroed(4);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("brokers")))
        .encode(&mut frame, R::header_version(version))?;
    request.encode(&mut frame, version)?;
    let size = i32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame.freeze())
}

pub(crate) fn decode<R: Request>(version: i16, mut frame: Bytes) -> anyhow::Result<R::Response> {
    ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
    let answer = R::Response::decode(&mut frame, version)?;
    ensure!(!frame.has_remaining(), "bytes behind an answer");
    Ok(answer)
}

/// One batch of `records` records with values of `value_bytes` for one partition.
pub(crate) fn produce_frame(
    topic: &str,
    partition: i32,
    records: i64,
    value_bytes: usize,
) -> anyhow::Result<Bytes> {
    let record = |number: i64| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: number,
        // Consecutive, or the encoder begins another batch.
        sequence: number as i32 - 1,
        timestamp: 1_750_000_000_000,
        key: None,
        value: Some(Bytes::from(vec![b'x'; value_bytes])),
        headers: Default::default(),
    };
    let records: Vec<Record> = (0..records).map(record).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &records, &options).context("a plain batch")?;
    let partition =
        PartitionProduceData::default().with_index(partition).with_records(Some(batch.freeze()));
    let topic = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    frame(PRODUCE, &request)
}

/// Asks for up to `bytes` from `offset` on.
pub(crate) fn fetch_frame(
    topic: &str,
    partition: i32,
    offset: i64,
    bytes: i32,
) -> anyhow::Result<Bytes> {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(bytes);
    let topic =
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(bytes)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(FETCH, &request)
}
