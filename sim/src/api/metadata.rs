//! Metadata, versions 0 to 12: this broker and its topics. A topic that is asked for by name is
//! created when the client allows it.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use uuid::Uuid;

use super::{
    CLUSTER_OPERATIONS, NO_AUTHORIZED_OPERATIONS, TOPIC_OPERATIONS, distinct, operations,
    topic_name,
};
use crate::config::Overrides;
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::log::LEADER_EPOCH;
use crate::topics::{INTERNAL_TOPICS, Topic};
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 9,
    fields: &[
        structures(&[fixed(16).since(10), text()]),
        fixed(1).since(4),
        fixed(1).since(8).until(10),
        fixed(1).since(8),
    ],
};

/// First version in which no topics means none; before, it means all.
const EMPTY_MEANS_NONE_FROM: i16 = 1;
/// First version that may ask by id, and may answer without a name.
const BY_ID_FROM: i16 = 12;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: MetadataRequest,
) -> MetadataResponse {
    let all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && call.header.version < EMPTY_MEANS_NONE_FROM,
    };
    let may = operations(request.include_topic_authorized_operations, TOPIC_OPERATIONS);
    let mut topics: Vec<MetadataResponseTopic> = if all {
        core.topics.iter().map(describe).collect()
    } else {
        let wanted = distinct(request.topics.unwrap_or_default(), |topic| {
            (topic.name.clone(), topic.topic_id)
        });
        let may_create = request.allow_auto_topic_creation;
        wanted.map(|topic| find(core, call, topic, may_create)).collect()
    };
    // Whoever names a topic may do everything to it, whether it is there or not.
    for topic in topics.iter_mut().filter(|topic| topic.name.is_some()) {
        topic.topic_authorized_operations = may;
    }
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(BROKER_ID))
        .with_host(call.origin.advertised_host.clone())
        .with_port(call.origin.advertised_port);
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(core.cluster_id.clone()))
        .with_controller_id(BrokerId(BROKER_ID))
        .with_topics(topics)
        .with_cluster_authorized_operations(operations(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ))
}

fn find(
    core: &mut Core,
    call: &Call<'_>,
    wanted: MetadataRequestTopic,
    may_create: bool,
) -> MetadataResponseTopic {
    // An id counts for more than a name: Java's client sends an empty name with the ids it asks for.
    let name = wanted.name.filter(|_| wanted.topic_id.is_nil());
    let Some(name) = name else {
        if call.header.version < BY_ID_FROM {
            let name = Some(TopicName::default());
            return failure(name, wanted.topic_id, ErrorCode::InvalidRequest);
        }
        let name = core.topics.name_of(wanted.topic_id);
        return match name.and_then(|name| core.topics.get(&name)) {
            Some(topic) => describe(topic),
            None => failure(None, wanted.topic_id, ErrorCode::UnknownTopicId),
        };
    };
    if core.topics.get(&name).is_none() {
        let created = create(core, call, &name, may_create);
        if let Err(error) = created {
            return failure(Some(name), Uuid::nil(), error);
        }
    }
    match core.topics.get(&name) {
        Some(topic) => describe(topic),
        None => failure(Some(name), Uuid::nil(), ErrorCode::UnknownTopicOrPartition),
    }
}

fn create(core: &mut Core, call: &Call<'_>, name: &str, may_create: bool) -> Result<(), ErrorCode> {
    crate::topics::check_name(name)?;
    let may_create = may_create && core.config.is_true("auto.create.topics.enable");
    if !may_create || INTERNAL_TOPICS.contains(&name) {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    if core.topics.collision(name).is_some() {
        return Err(ErrorCode::InvalidTopicException);
    }
    core.create_topic(name, core.default_partitions(), Overrides::new(), call.now)
}

fn failure(name: Option<TopicName>, id: Uuid, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(name)
        .with_topic_id(id)
        .with_topic_authorized_operations(NO_AUTHORIZED_OPERATIONS)
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let this_broker = || vec![BrokerId(BROKER_ID)];
    let partitions = (0..topic.partitions.len()).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index as i32)
            .with_leader_id(BrokerId(BROKER_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(this_broker())
            .with_isr_nodes(this_broker())
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(topic.id)
        .with_is_internal(false)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(NO_AUTHORIZED_OPERATIONS)
}
