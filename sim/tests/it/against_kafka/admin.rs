//! Topics, partitions and metadata.

use kafka_protocol::messages as m;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::Transcript;

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn named(name: &str) -> TopicName {
    TopicName(text(name))
}

fn plain(name: &str) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(named(name))
        .with_num_partitions(1)
        .with_replication_factor(1)
}

fn with_config(name: &str, config: &str, value: Option<&str>) -> CreatableTopic {
    let config =
        CreatableTopicConfig::default().with_name(text(config)).with_value(value.map(text));
    plain(name).with_configs(vec![config])
}

fn assigned(name: &str, brokers: &[(i32, i32)]) -> CreatableTopic {
    let assignments = brokers.iter().map(|(partition, broker)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(vec![BrokerId(*broker)])
    });
    plain(name)
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(assignments.collect())
}

pub(super) async fn create(
    told: &mut Transcript,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) {
    let request = m::CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only);
    let mut results = told.wire.call(7, &request).await.topics;
    results.sort_by_key(|result| result.name.to_string());
    for result in results {
        let answer = (
            result.error_code,
            result.error_message.is_some(),
            result.topic_id.is_nil(),
            (result.num_partitions, result.replication_factor, result.topic_config_error_code),
            result.configs.map(|configs| !configs.is_empty()),
        );
        told.note(&format!("create {}", &*result.name), answer);
    }
}

/// A real Kafka answers before its own broker has heard of a new topic.
pub(super) async fn is_there(told: &mut Transcript, topic: &str, partitions: usize) {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let wanted = (0..partitions as i32).map(|index| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_timestamp(-1)
            .with_current_leader_epoch(-1)
    });
    let wanted =
        ListOffsetsTopic::default().with_name(named(topic)).with_partitions(wanted.collect());
    let request =
        m::ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
    loop {
        let response = told.wire.call(6, &request).await;
        if response.topics[0].partitions.iter().all(|partition| partition.error_code == 0) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub(super) async fn topics(told: &mut Transcript) {
    let name = |told: &Transcript, name: &str| told.name(name);
    let first = name(told, "first.topic");
    create(told, vec![plain(&first)], false).await;
    create(told, vec![plain(&first)], false).await;
    create(told, vec![plain(&first)], true).await;
    let others = [
        plain(&name(told, "first_topic")),
        plain("b@d"),
        plain(""),
        plain(&name(told, "twice")),
        plain(&name(told, "twice")),
        plain(&name(told, "none")).with_num_partitions(0),
        plain(&name(told, "negative")).with_num_partitions(-2),
        plain(&name(told, "replicas0")).with_replication_factor(0),
        plain(&name(told, "replicas2")).with_replication_factor(2),
        plain(&name(told, "defaults")).with_num_partitions(-1).with_replication_factor(-1),
        with_config(&name(told, "config1"), "no.such", Some("1")),
        with_config(&name(told, "config2"), "retention.ms", Some("-2")),
        with_config(&name(told, "config3"), "retention.ms", None),
        with_config(&name(told, "config4"), "cleanup.policy", Some("compact,delete")),
        with_config(&name(told, "config5"), "compression.type", Some("fast")),
        assigned(&name(told, "assigned1"), &[(1, 1), (0, 1)]),
        assigned(&name(told, "assigned2"), &[(0, 1), (2, 1)]),
        assigned(&name(told, "assigned3"), &[(0, 7)]),
        assigned(&name(told, "assigned4"), &[(0, 1)]).with_replication_factor(1),
        assigned(&name(told, "assigned5"), &[(0, 1)]).with_num_partitions(1),
    ];
    create(told, others.to_vec(), false).await;
    create(told, vec![plain(&name(told, "only-asked"))], true).await;
    let missing = m::delete_topics_request::DeleteTopicState::default();
    let delete = m::DeleteTopicsRequest::default().with_timeout_ms(10_000).with_topics(vec![
        missing.clone().with_name(Some(named(&told.name("missing")))),
        missing.clone().with_name(None).with_topic_id(Uuid::from_u128(77)),
        missing.with_name(Some(named(&first))),
    ]);
    let mut deleted: Vec<_> = told
        .wire
        .call(6, &delete)
        .await
        .responses
        .into_iter()
        .map(|deleted| (deleted.error_code, deleted.name.is_some(), deleted.topic_id.is_nil()))
        .collect();
    deleted.sort();
    told.note("delete", deleted);
}

pub(super) async fn partitions(told: &mut Transcript) {
    use m::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    let topic = told.name("growing");
    create(told, vec![plain(&topic).with_num_partitions(3)], false).await;
    let more = |count: i32| {
        CreatePartitionsTopic::default()
            .with_name(named(&topic))
            .with_count(count)
            .with_assignments(None)
    };
    let on =
        |broker: i32| CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(broker)]);
    for (what, wanted, validate_only) in [
        ("fewer", vec![more(2)], false),
        ("the same", vec![more(3)], false),
        ("none", vec![more(0)], false),
        ("asked only", vec![more(5)], true),
        ("more", vec![more(4)], false),
        ("twice", vec![more(5), more(6)], false),
        ("assigned", vec![more(5).with_assignments(Some(vec![on(1)]))], false),
        ("assigned too few", vec![more(7).with_assignments(Some(vec![on(1)]))], false),
        ("assigned elsewhere", vec![more(6).with_assignments(Some(vec![on(9)]))], false),
        ("of nothing", vec![more(6).with_name(named("missing"))], false),
    ] {
        let request = m::CreatePartitionsRequest::default()
            .with_topics(wanted)
            .with_timeout_ms(10_000)
            .with_validate_only(validate_only);
        let results = told.wire.call(3, &request).await.results;
        let answers: Vec<_> =
            results.iter().map(|r| (r.error_code, r.error_message.is_some())).collect();
        told.note(&format!("partitions {what}"), answers);
    }
}

pub(super) async fn metadata(told: &mut Transcript) {
    use m::metadata_request::MetadataRequestTopic as Wanted;
    let topic = told.name("growing");
    is_there(told, &topic, 5).await;
    let by_name = |name: &str| Wanted::default().with_name(Some(named(name)));
    let by_id = Wanted::default().with_name(None).with_topic_id(Uuid::from_u128(5));
    let missing = told.name("not-made");
    for (version, wanted) in [
        (12, by_name(&topic)),
        (9, by_name(&topic)),
        (12, by_name("b@d")),
        (12, by_name(&missing)),
        (12, by_id.clone()),
    ] {
        let request = m::MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(false)
            .with_include_topic_authorized_operations(true)
            .with_include_cluster_authorized_operations(version < 11);
        let response = told.wire.call(version, &request).await;
        let topics: Vec<_> = response
            .topics
            .iter()
            .map(|topic| {
                let partition = topic.partitions.first().map(|one| {
                    (one.error_code, one.leader_id, one.leader_epoch, one.isr_nodes.clone())
                });
                (
                    topic.error_code,
                    topic.name.clone(),
                    topic.is_internal,
                    topic.partitions.len(),
                    partition,
                    topic.topic_authorized_operations,
                )
            })
            .collect();
        told.note(&format!("metadata {version}"), (topics, response.cluster_authorized_operations));
    }
    let request = m::DescribeClusterRequest::default()
        .with_include_cluster_authorized_operations(true)
        .with_endpoint_type(1);
    let response = told.wire.call(2, &request).await;
    told.note(
        "cluster",
        (response.error_code, response.cluster_authorized_operations, response.brokers.len()),
    );
    use m::describe_topic_partitions_request::{Cursor, TopicRequest};
    let asked = |name: &str| TopicRequest::default().with_name(named(name));
    for (limit, cursor) in
        [(2, None), (2, Some(1)), (9, Some(4)), (9, Some(99)), (0, None), (9, Some(-1))]
    {
        let cursor = cursor
            .map(|at| Cursor::default().with_topic_name(named(&topic)).with_partition_index(at));
        let request = m::DescribeTopicPartitionsRequest::default()
            .with_topics(vec![asked(&topic), asked("b@d"), asked(&missing)])
            .with_response_partition_limit(limit)
            .with_cursor(cursor);
        told.wire.send(0, &request).await;
        let Some(_) =
            told.wire.try_receive::<m::DescribeTopicPartitionsRequest>(0).await.map(|response| {
                let topics: Vec<_> = response
                    .topics
                    .iter()
                    .map(|topic| {
                        let indexes: Vec<_> =
                            topic.partitions.iter().map(|one| one.partition_index).collect();
                        (
                            topic.error_code,
                            topic.name.clone(),
                            indexes,
                            topic.topic_authorized_operations,
                        )
                    })
                    .collect();
                let next = response.next_cursor.map(|next| (next.topic_name, next.partition_index));
                told.note(&format!("describe partitions {limit}"), (topics, next));
            })
        else {
            told.note("describe partitions closed", limit);
            return;
        };
    }
}
