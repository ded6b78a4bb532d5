//! A sound request of every API and version that the broker serves, with something in every array: what
//! `every_api` asks, and what `malformed` spoils.

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::wire::{batch, frame_of};

mod admin;

pub(crate) use admin::*;

/// Makes requests of one API.
pub(crate) struct Sample {
    pub(crate) key: i16,
    frame: fn(i16, i32) -> Bytes,
}

impl Sample {
    /// A whole frame, with its size.
    pub(crate) fn frame(&self, version: i16, correlation_id: i32) -> Bytes {
        (self.frame)(version, correlation_id)
    }
}

macro_rules! samples {
    ($($request:ident: $function:ident;)*) => {
        pub(crate) static SAMPLES: &[Sample] = &[$(Sample {
            key: <m::$request as Request>::KEY,
            frame: |version, correlation_id| {
                frame_of::<m::$request>(version, correlation_id, &$function(version))
            },
        }),*];
    };
}

samples! {
    ProduceRequest: produce;
    FetchRequest: fetch;
    ListOffsetsRequest: list_offsets;
    MetadataRequest: metadata;
    OffsetCommitRequest: offset_commit;
    OffsetFetchRequest: offset_fetch;
    FindCoordinatorRequest: find_coordinator;
    JoinGroupRequest: join_group;
    HeartbeatRequest: heartbeat;
    LeaveGroupRequest: leave_group;
    SyncGroupRequest: sync_group;
    DescribeGroupsRequest: describe_groups;
    ListGroupsRequest: list_groups;
    ApiVersionsRequest: api_versions;
    CreateTopicsRequest: create_topics;
    DeleteTopicsRequest: delete_topics;
    InitProducerIdRequest: init_producer_id;
    OffsetForLeaderEpochRequest: offset_for_leader_epoch;
    DescribeConfigsRequest: describe_configs;
    DescribeClusterRequest: describe_cluster;
    ListPartitionReassignmentsRequest: list_partition_reassignments;
    CreatePartitionsRequest: create_partitions;
    DescribeTopicPartitionsRequest: describe_topic_partitions;
    DescribeLogDirsRequest: describe_log_dirs;
    DescribeProducersRequest: describe_producers;
    IncrementalAlterConfigsRequest: incremental_alter_configs;
    AlterConfigsRequest: alter_configs;
    DescribeAclsRequest: describe_acls;
    DeleteRecordsRequest: delete_records;
    OffsetDeleteRequest: offset_delete;
    DeleteGroupsRequest: delete_groups;
}

/// Versions of an API that are served, as ApiVersions tells them.
pub(crate) fn served(api: &m::api_versions_response::ApiVersion) -> std::ops::RangeInclusive<i16> {
    // Produce is advertised from 0 and served from 3.
    let first = if api.api_key == m::ProduceRequest::KEY { 3 } else { api.min_version };
    first..=api.max_version
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic() -> TopicName {
    TopicName(text("orders"))
}

pub(crate) fn group() -> GroupId {
    GroupId(text("readers"))
}

/// Each version makes a group of its own: nobody waits for anybody.
pub(crate) fn group_of(version: i16) -> GroupId {
    GroupId(text(&format!("group-{version}")))
}

/// The topic that each version makes.
pub(crate) fn topic_of(version: i16) -> TopicName {
    TopicName(text(&format!("made-{version}")))
}

pub(crate) fn api_versions(version: i16) -> m::ApiVersionsRequest {
    let request = m::ApiVersionsRequest::default();
    if version < 3 {
        return request;
    }
    request.with_client_software_name(text("test")).with_client_software_version(text("test"))
}

pub(crate) fn metadata(_: i16) -> m::MetadataRequest {
    let wanted = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
    m::MetadataRequest::default().with_topics(Some(vec![wanted]))
}

pub(crate) fn produce(_: i16) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_records(Some(batch(&["a", "b"], -1, -1)));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data])
}

pub(crate) fn fetch(_: i16) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition = FetchPartition::default().with_fetch_offset(1).with_partition_max_bytes(1);
    let fetched = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let fetch = m::FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1);
    fetch.with_max_bytes(1 << 20).with_topics(vec![fetched])
}

pub(crate) fn list_offsets(_: i16) -> m::ListOffsetsRequest {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition = ListOffsetsPartition::default().with_timestamp(1_001);
    let wanted = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![partition]);
    m::ListOffsetsRequest::default().with_topics(vec![wanted])
}

pub(crate) fn offset_for_leader_epoch(_: i16) -> m::OffsetForLeaderEpochRequest {
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let partitions = vec![OffsetForLeaderPartition::default().with_leader_epoch(0)];
    let wanted = OffsetForLeaderTopic::default().with_topic(topic()).with_partitions(partitions);
    m::OffsetForLeaderEpochRequest::default().with_topics(vec![wanted])
}

pub(crate) fn init_producer_id(_: i16) -> m::InitProducerIdRequest {
    m::InitProducerIdRequest::default().with_transactional_id(None)
}

pub(crate) fn find_coordinator(version: i16) -> m::FindCoordinatorRequest {
    let request = m::FindCoordinatorRequest::default();
    if version < 4 {
        request.with_key(group().0)
    } else {
        request.with_coordinator_keys(vec![group().0, group().0])
    }
}

pub(crate) fn join_group(version: i16) -> m::JoinGroupRequest {
    let protocol = m::join_group_request::JoinGroupRequestProtocol::default();
    m::JoinGroupRequest::default()
        .with_group_id(group_of(version))
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol.with_name(text("range"))])
}

pub(crate) fn sync_group(_: i16) -> m::SyncGroupRequest {
    let assignment = m::sync_group_request::SyncGroupRequestAssignment::default();
    m::SyncGroupRequest::default().with_group_id(group()).with_assignments(vec![assignment])
}

pub(crate) fn heartbeat(_: i16) -> m::HeartbeatRequest {
    m::HeartbeatRequest::default().with_group_id(group())
}

pub(crate) fn leave_group(version: i16) -> m::LeaveGroupRequest {
    let member = m::leave_group_request::MemberIdentity::default();
    let request = m::LeaveGroupRequest::default().with_group_id(group());
    if version < 3 { request } else { request.with_members(vec![member]) }
}

pub(crate) fn describe_groups(_: i16) -> m::DescribeGroupsRequest {
    m::DescribeGroupsRequest::default().with_groups(vec![group_of(0), group_of(99)])
}

pub(crate) fn list_groups(version: i16) -> m::ListGroupsRequest {
    let request = m::ListGroupsRequest::default();
    if version < 4 {
        request
    } else {
        request.with_states_filter(vec![text("Stable"), text("CompletingRebalance")])
    }
}

pub(crate) fn offset_commit(_: i16) -> m::OffsetCommitRequest {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(7)
        .with_committed_metadata(Some(text("note")));
    let committed =
        OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let commit = m::OffsetCommitRequest::default().with_group_id(group());
    commit.with_generation_id_or_member_epoch(-1).with_topics(vec![committed])
}

pub(crate) fn offset_fetch(version: i16) -> m::OffsetFetchRequest {
    use m::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
    if version < 8 {
        let wanted = OffsetFetchRequestTopic::default().with_name(topic());
        let wanted = wanted.with_partition_indexes(vec![0, 1]);
        let request = m::OffsetFetchRequest::default().with_group_id(group());
        return request.with_topics(Some(vec![wanted]));
    }
    let wanted = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
    m::OffsetFetchRequest::default().with_groups(vec![wanted])
}

pub(crate) fn describe_cluster(_: i16) -> m::DescribeClusterRequest {
    m::DescribeClusterRequest::default()
}

pub(crate) fn list_partition_reassignments(_: i16) -> m::ListPartitionReassignmentsRequest {
    let moving =
        m::list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
            .with_name(topic())
            .with_partition_indexes(vec![0]);
    m::ListPartitionReassignmentsRequest::default().with_topics(Some(vec![moving]))
}
