//! Administration of what is stored: partitions, records, offsets, groups and configurations.

use kafka_protocol::messages as m;
use kafka_protocol::messages::{BrokerId, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::{Asker, group, topic};

pub(super) async fn of_stored_things(asker: &mut Asker) {
    partitions(asker).await;
    configurations(asker).await;
    records(asker).await;
    offsets_and_groups(asker).await;
}

async fn partitions(asker: &mut Asker) {
    use m::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    let assigned = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let more = |version: i16| {
        let wanted = CreatePartitionsTopic::default()
            .with_name(topic())
            .with_count(5 + i32::from(version))
            .with_assignments(Some(vec![assigned.clone()]));
        m::CreatePartitionsRequest::default().with_topics(vec![wanted])
    };
    for response in asker.ask(more).await {
        assert_eq!(response.results[0].error_code, 0, "{:?}", response.results[0].error_message);
    }
    use m::describe_topic_partitions_request::{Cursor, TopicRequest};
    let cursor = Cursor::default().with_topic_name(topic()).with_partition_index(2);
    let describe = m::DescribeTopicPartitionsRequest::default()
        .with_topics(vec![TopicRequest::default().with_name(topic())])
        .with_response_partition_limit(3)
        .with_cursor(Some(cursor));
    for response in asker.ask(|_| describe.clone()).await {
        let partitions = response.topics[0].partitions.iter();
        let indexes: Vec<i32> = partitions.map(|partition| partition.partition_index).collect();
        assert_eq!(indexes, [2, 3, 4]);
        assert_eq!(response.next_cursor.map(|cursor| cursor.partition_index), Some(5));
    }
    use m::describe_log_dirs_request::DescribableLogDirTopic;
    let wanted = DescribableLogDirTopic::default().with_topic(topic()).with_partitions(vec![0]);
    let describe = m::DescribeLogDirsRequest::default().with_topics(Some(vec![wanted]));
    for response in asker.ask(|_| describe.clone()).await {
        let partition = &response.results[0].topics[0].partitions[0];
        assert!(partition.partition_size > 0);
    }
    use m::describe_producers_request::TopicRequest as Producers;
    let wanted = Producers::default().with_name(topic()).with_partition_indexes(vec![0, 99]);
    let describe = m::DescribeProducersRequest::default().with_topics(vec![wanted]);
    for response in asker.ask(|_| describe.clone()).await {
        let partitions = &response.topics[0].partitions;
        assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 3));
    }
}

async fn configurations(asker: &mut Asker) {
    let name = StrBytes::from_static_str("max.message.bytes");
    use m::incremental_alter_configs_request as incremental;
    let change = incremental::AlterableConfig::default()
        .with_name(name.clone())
        .with_value(Some(StrBytes::from_static_str("500000")));
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic().0)
        .with_configs(vec![change]);
    let alter = m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    for response in asker.ask(|_| alter.clone()).await {
        assert_eq!(response.responses[0].error_code, 0);
    }
    use m::alter_configs_request as replacing;
    let value = replacing::AlterableConfig::default()
        .with_name(name)
        .with_value(Some(StrBytes::from_static_str("600000")));
    let resource = replacing::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(topic().0)
        .with_configs(vec![value]);
    let alter = m::AlterConfigsRequest::default().with_resources(vec![resource]);
    for response in asker.ask(|_| alter.clone()).await {
        assert_eq!(response.responses[0].error_code, 0);
    }
    let security_disabled = 54;
    for response in asker.ask(|_| m::DescribeAclsRequest::default()).await {
        assert_eq!(response.error_code, security_disabled);
    }
}

async fn records(asker: &mut Asker) {
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let delete = |version: i16| {
        let partition = DeleteRecordsPartition::default().with_offset(i64::from(version));
        let wanted =
            DeleteRecordsTopic::default().with_name(topic()).with_partitions(vec![partition]);
        m::DeleteRecordsRequest::default().with_topics(vec![wanted])
    };
    for (version, response) in asker.ask(delete).await.iter().enumerate() {
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.low_watermark), (0, version as i64));
    }
}

async fn offsets_and_groups(asker: &mut Asker) {
    use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let partition = OffsetDeleteRequestPartition::default();
    let wanted =
        OffsetDeleteRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let delete = m::OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![wanted]);
    for response in asker.ask(|_| delete.clone()).await {
        assert_eq!((response.error_code, response.topics[0].partitions[0].error_code), (0, 0));
    }
    let (not_found, not_empty) = (69, 68);
    let occupied = GroupId(StrBytes::from_static_str("group-0"));
    let delete = m::DeleteGroupsRequest::default().with_groups_names(vec![group(), occupied]);
    for (version, response) in asker.ask(|_| delete.clone()).await.iter().enumerate() {
        let expected = if version == 0 { 0 } else { not_found };
        let results = &response.results;
        assert_eq!((results[0].error_code, results[1].error_code), (expected, not_empty));
    }
}
