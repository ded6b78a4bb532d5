//! Requests that change or describe what is stored.

use kafka_protocol::messages as m;
use kafka_protocol::messages::BrokerId;
use uuid::Uuid;

use super::{group, group_of, text, topic, topic_of};

pub(crate) fn create_topics(version: i16) -> m::CreateTopicsRequest {
    use m::create_topics_request::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
    };
    let config = CreatableTopicConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("1000")));
    let assigned = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let topic = CreatableTopic::default()
        .with_name(topic_of(version))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assigned])
        .with_configs(vec![config]);
    m::CreateTopicsRequest::default().with_topics(vec![topic])
}

pub(crate) fn describe_configs(version: i16) -> m::DescribeConfigsRequest {
    let resource = m::describe_configs_request::DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic_of(2).0)
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    let request = m::DescribeConfigsRequest::default().with_resources(vec![resource]);
    if version < 1 { request } else { request.with_include_synonyms(true) }
}

pub(crate) fn delete_topics(version: i16) -> m::DeleteTopicsRequest {
    let request = m::DeleteTopicsRequest::default();
    let state = m::delete_topics_request::DeleteTopicState::default();
    if version < 6 {
        return request.with_topic_names(vec![topic_of(version.max(2))]);
    }
    request.with_topics(vec![
        state.clone().with_name(Some(topic_of(6))),
        state.with_name(None).with_topic_id(Uuid::from_u128(9)),
    ])
}

pub(crate) fn create_partitions(version: i16) -> m::CreatePartitionsRequest {
    use m::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    let assigned = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let wanted = CreatePartitionsTopic::default()
        .with_name(topic())
        .with_count(5 + i32::from(version))
        .with_assignments(Some(vec![assigned]));
    m::CreatePartitionsRequest::default().with_topics(vec![wanted])
}

pub(crate) fn describe_topic_partitions(_: i16) -> m::DescribeTopicPartitionsRequest {
    use m::describe_topic_partitions_request::{Cursor, TopicRequest};
    let cursor = Cursor::default().with_topic_name(topic()).with_partition_index(2);
    m::DescribeTopicPartitionsRequest::default()
        .with_topics(vec![TopicRequest::default().with_name(topic())])
        .with_response_partition_limit(3)
        .with_cursor(Some(cursor))
}

pub(crate) fn describe_log_dirs(_: i16) -> m::DescribeLogDirsRequest {
    use m::describe_log_dirs_request::DescribableLogDirTopic;
    let wanted = DescribableLogDirTopic::default().with_topic(topic()).with_partitions(vec![0]);
    m::DescribeLogDirsRequest::default().with_topics(Some(vec![wanted]))
}

pub(crate) fn describe_producers(_: i16) -> m::DescribeProducersRequest {
    let wanted = m::describe_producers_request::TopicRequest::default()
        .with_name(topic())
        .with_partition_indexes(vec![0, 99]);
    m::DescribeProducersRequest::default().with_topics(vec![wanted])
}

pub(crate) fn incremental_alter_configs(_: i16) -> m::IncrementalAlterConfigsRequest {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let change = AlterableConfig::default()
        .with_name(text("max.message.bytes"))
        .with_value(Some(text("500000")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic().0)
        .with_configs(vec![change]);
    m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

pub(crate) fn alter_configs(_: i16) -> m::AlterConfigsRequest {
    use m::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let value = AlterableConfig::default()
        .with_name(text("max.message.bytes"))
        .with_value(Some(text("600000")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic().0)
        .with_configs(vec![value]);
    m::AlterConfigsRequest::default().with_resources(vec![resource])
}

pub(crate) fn describe_acls(_: i16) -> m::DescribeAclsRequest {
    m::DescribeAclsRequest::default()
}

pub(crate) fn delete_records(version: i16) -> m::DeleteRecordsRequest {
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let partition = DeleteRecordsPartition::default().with_offset(i64::from(version));
    let wanted = DeleteRecordsTopic::default().with_name(topic()).with_partitions(vec![partition]);
    m::DeleteRecordsRequest::default().with_topics(vec![wanted])
}

pub(crate) fn offset_delete(_: i16) -> m::OffsetDeleteRequest {
    use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let partition = OffsetDeleteRequestPartition::default();
    let wanted =
        OffsetDeleteRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    m::OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![wanted])
}

pub(crate) fn delete_groups(_: i16) -> m::DeleteGroupsRequest {
    m::DeleteGroupsRequest::default().with_groups_names(vec![group(), group_of(0)])
}
