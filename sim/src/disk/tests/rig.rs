//! A core on the fake file system, driven by requests, and killed at will.

use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::messages::{BrokerId, GroupId, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::RecordBatchDecoder;

use super::super::syncer::{Fsync, Syncer};
use super::super::{Disk, OpenError};
use super::fake::FakeFiles;
use crate::broker_config::BrokerConfig;
use crate::clock::Now;
use crate::core::{Core, Origin, Progress, Settings, Token};
use crate::log::batch::tests::batch_from;
use crate::wire::{Fatal, Outbox};

pub(super) const DIRECTORY: &str = "/data";
pub(super) const STORAGE_ERROR: i16 = 56;
pub(super) const NOT_COORDINATOR: i16 = 16;
pub(super) const TOPIC: &str = "orders";
pub(super) const NOW: Now = Now { monotonic_ms: 0, wall_ms: 1_000_000 };
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;

pub(super) struct Rig {
    pub(super) files: FakeFiles,
    pub(super) core: Core,
    pub(super) syncer: Arc<Syncer>,
    pub(super) now: Now,
    fsync: Fsync,
    requests: u64,
}

/// What a request came to.
#[derive(Debug)]
pub(super) enum Answer<R> {
    Now(R),
    /// It waits under this token.
    Held(Token),
}

impl<R> Answer<R> {
    pub(super) fn now(self) -> R {
        match self {
            Self::Now(response) => response,
            Self::Held(_) => panic!("the answer is held back"),
        }
    }
}

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn open(files: &FakeFiles, fsync: Fsync) -> Result<(Core, Arc<Syncer>), OpenError> {
    let files = Arc::new(files.clone());
    let opened = Disk::open_with(Path::new(DIRECTORY), files, fsync, Box::new(|| ()));
    let (disk, metadata) = opened?;
    let syncer = disk.shared.syncer.clone();
    let settings = Settings { config: BrokerConfig::default(), seed: 1 };
    let core = Core::recover(&settings, Box::new(disk), metadata, NOW)
        .map_err(|_| OpenError::Unusable(DIRECTORY.into()))?;
    syncer.remove_all();
    Ok((core, syncer))
}

impl Rig {
    pub(super) fn new(fsync: Fsync) -> Self {
        let files = FakeFiles::default();
        let (core, syncer) = open(&files, fsync).unwrap();
        let now = NOW;
        Self { files, core, syncer, now, fsync, requests: 0 }
    }

    /// With a topic of one partition.
    pub(super) fn with_topic(fsync: Fsync) -> Self {
        let mut rig = Self::new(fsync);
        rig.create_topic(TOPIC, &[]);
        rig.sync();
        rig
    }

    /// Goes on with another process, on what this one has left.
    pub(super) fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    pub(super) fn try_restart(&mut self) -> Result<(), OpenError> {
        let (core, syncer) = open(&self.files, self.fsync)?;
        (self.core, self.syncer) = (core, syncer);
        Ok(())
    }

    fn origin(&mut self) -> Origin {
        self.requests += 1;
        Origin {
            token: Token(self.requests),
            client_host: "test".to_owned(),
            advertised_host: StrBytes::from_static_str("test"),
            advertised_port: 1,
        }
    }

    pub(super) fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<Answer<R::Response>, Fatal> {
        let mut frame = BytesMut::new();
        let header =
            RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
        header.encode(&mut frame, R::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let (origin, mut outbox) = (self.origin(), Outbox::default());
        let frame = frame.freeze();
        match self.core.request(&origin, &frame, self.now, &mut outbox)? {
            Progress::Done => Ok(Answer::Now(decode::<R>(version, &outbox))),
            Progress::Waiting => Ok(Answer::Held(origin.token)),
        }
    }

    /// Syncs, and has the core notice. Returns whom it wakes.
    pub(super) fn sync(&mut self) -> Vec<Token> {
        self.syncer.sync();
        self.syncer.remove_all();
        self.core.advance(self.now);
        self.core.take_woken().collect()
    }

    pub(super) fn resume<R: Request>(
        &mut self,
        version: i16,
        token: Token,
    ) -> Result<Option<R::Response>, Fatal> {
        let mut outbox = Outbox::default();
        let progress = self.core.resume(token, &mut outbox)?;
        Ok((progress == Progress::Done).then(|| decode::<R>(version, &outbox)))
    }

    pub(super) fn create_topic(&mut self, topic: &str, settings: &[(&str, &str)]) -> i16 {
        use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
        let config = settings.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string((*name).to_owned()))
                .with_value(Some(StrBytes::from_string((*value).to_owned())))
        });
        let wanted = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(config.collect());
        let request = m::CreateTopicsRequest::default().with_topics(vec![wanted]);
        match self.call(7, &request).unwrap() {
            Answer::Now(response) => response.topics[0].error_code,
            Answer::Held(token) => {
                self.sync();
                let response = self.resume::<m::CreateTopicsRequest>(7, token).unwrap();
                response.unwrap().topics[0].error_code
            }
        }
    }

    pub(super) fn delete_topic(&mut self, topic: &str) -> i16 {
        let request = m::DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]);
        match self.call(5, &request).unwrap() {
            Answer::Now(response) => response.responses[0].error_code,
            Answer::Held(token) => {
                self.sync();
                let response = self.resume::<m::DeleteTopicsRequest>(5, token).unwrap();
                response.unwrap().responses[0].error_code
            }
        }
    }

    pub(super) fn try_produce(
        &mut self,
        topic: &str,
        batch: Bytes,
    ) -> Result<Answer<m::ProduceResponse>, Fatal> {
        use m::produce_request::{PartitionProduceData, TopicProduceData};
        let data = PartitionProduceData::default().with_records(Some(batch));
        let data =
            TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
        let request = m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
        self.call(PRODUCE, &request)
    }

    /// Error code and base offset.
    pub(super) fn produce(&mut self, topic: &str, batch: Bytes) -> (i16, i64) {
        let response = match self.try_produce(topic, batch).unwrap() {
            Answer::Now(response) => response,
            Answer::Held(token) => {
                assert!(self.sync().contains(&token), "a sync wakes what waits for it");
                self.resume::<m::ProduceRequest>(PRODUCE, token).unwrap().unwrap()
            }
        };
        produced(&response)
    }

    pub(super) fn commit(&mut self, group: &str, topic: &str, offset: i64) -> i16 {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_metadata(Some(StrBytes::from_static_str("a note\n")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        let request = m::OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let code = |response: m::OffsetCommitResponse| response.topics[0].partitions[0].error_code;
        match self.call(8, &request).unwrap() {
            Answer::Now(response) => code(response),
            Answer::Held(token) => {
                self.sync();
                code(self.resume::<m::OffsetCommitRequest>(8, token).unwrap().unwrap())
            }
        }
    }

    pub(super) fn committed(&self, group: &str, topic: &str) -> Option<i64> {
        self.core.groups.get(group)?.offsets.get(topic, 0).map(|committed| committed.offset)
    }

    pub(super) fn fetch(&mut self, topic: &str, offset: i64) -> m::fetch_response::PartitionData {
        use m::fetch_request::{FetchPartition, FetchTopic};
        let partition =
            FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(i32::MAX);
        let wanted = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
        let request = m::FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(i32::MAX)
            .with_topics(vec![wanted]);
        self.call(FETCH, &request).unwrap().now().responses[0].partitions[0].clone()
    }

    /// Offset and timestamp of every record that is served.
    pub(super) fn records(&mut self, topic: &str) -> Vec<(i64, i64)> {
        let mut offset = self.core.topics.partition(topic, 0).unwrap().log.log_start_offset();
        let mut all = Vec::new();
        loop {
            let fetched = self.fetch(topic, offset);
            let mut bytes = fetched.records.unwrap_or_default();
            if fetched.error_code != 0 || bytes.is_empty() {
                return all;
            }
            while bytes.has_remaining() {
                let set = RecordBatchDecoder::decode(&mut bytes).expect("whole batches");
                all.extend(set.records.iter().map(|record| (record.offset, record.timestamp)));
            }
            offset = all.last().map_or(offset, |(last, _)| last + 1);
        }
    }
}

pub(super) fn produced(response: &m::ProduceResponse) -> (i16, i64) {
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn decode<R: Request>(version: i16, outbox: &Outbox) -> R::Response {
    let mut bytes = outbox.to_bytes().slice(4..);
    ResponseHeader::decode(&mut bytes, R::Response::header_version(version)).unwrap();
    R::Response::decode(&mut bytes, version).unwrap()
}

/// A batch of a producer without an id, whose records have these timestamps.
pub(super) fn batch(timestamps: &[i64]) -> Bytes {
    batch_from(timestamps, 20, -1, -1, -1)
}
