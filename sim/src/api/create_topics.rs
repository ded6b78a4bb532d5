//! CreateTopics, versions 2 to 7. There is one broker, so a replication factor is 1 (or -1, the
//! default), and a manual assignment may name only that broker.

use std::collections::BTreeSet;

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};
use uuid::Uuid;

use super::text as string;
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::topic_config::{Setting, TopicConfig};
use crate::wire::shape::{Shape, fixed, fixed_array, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 5,
    fields: &[
        structures(&[
            text(),
            fixed(4),
            fixed(2),
            structures(&[fixed(4), fixed_array(4)]),
            structures(&[text(), text()]),
        ]),
        fixed(4),
        fixed(1),
    ],
};

/// Asks for the broker's default.
const DEFAULT: i32 = -1;
/// Where a setting comes from, in Kafka's numbers.
const FROM_TOPIC: i8 = 1;
const FROM_DEFAULT: i8 = 5;

type Refusal = (ErrorCode, String);

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut names = BTreeSet::new();
    let mut repeated: BTreeSet<TopicName> = BTreeSet::new();
    for topic in &request.topics {
        if !names.insert(topic.name.clone()) {
            repeated.insert(topic.name.clone());
        }
    }
    let results = request.topics.iter().map(|topic| {
        let created = if repeated.contains(&topic.name) {
            Err((ErrorCode::InvalidRequest, "named twice in one request".to_owned()))
        } else {
            create(core, call, topic, request.validate_only)
        };
        result(core, topic, created)
    });
    CreateTopicsResponse::default().with_topics(results.collect())
}

fn create(
    core: &mut Core,
    call: &Call<'_>,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(usize, TopicConfig), Refusal> {
    let refuse = |error: ErrorCode, why: &str| Err((error, why.to_owned()));
    let partitions = if topic.assignments.is_empty() {
        if !matches!(topic.replication_factor, -1 | 1) {
            return refuse(ErrorCode::InvalidReplicationFactor, "there is one broker");
        }
        match topic.num_partitions {
            DEFAULT => core.default_partitions,
            count => usize::try_from(count).unwrap_or(0),
        }
    } else {
        assigned_partitions(topic)?
    };
    let mut config = core.default_config.clone();
    for setting in &topic.configs {
        let value = setting.value.as_deref().unwrap_or_default();
        config.set(&setting.name, value)?;
    }
    let explain = |error: ErrorCode| {
        let why = match error {
            ErrorCode::TopicAlreadyExists => format!("Topic '{}' already exists.", &*topic.name),
            ErrorCode::InvalidPartitions => {
                format!("{} partitions: not a number this broker can hold", topic.num_partitions)
            }
            ErrorCode::InvalidTopicException => "not a legal topic name".to_owned(),
            other => other.to_string(),
        };
        (error, why)
    };
    core.topics.check_new(&topic.name, partitions).map_err(explain)?;
    if !validate_only {
        core.create_topic(&topic.name, partitions, config.clone(), call.now).map_err(explain)?;
    }
    Ok((partitions, config))
}

/// A manual assignment has to name the partitions 0, 1, 2… and this broker for each.
fn assigned_partitions(topic: &CreatableTopic) -> Result<usize, Refusal> {
    let indexes: BTreeSet<i32> =
        topic.assignments.iter().map(|assigned| assigned.partition_index).collect();
    let complete = indexes.len() == topic.assignments.len()
        && indexes.iter().zip(0..).all(|(index, expected)| *index == expected);
    let ours = |assigned: &[kafka_protocol::messages::BrokerId]| matches!(assigned, [broker] if broker.0 == BROKER_ID);
    if complete && topic.assignments.iter().all(|assigned| ours(&assigned.broker_ids)) {
        return Ok(indexes.len());
    }
    let why = format!("each partition from 0 on has to be assigned to broker {BROKER_ID}");
    Err((ErrorCode::InvalidReplicaAssignment, why))
}

fn result(
    core: &Core,
    topic: &CreatableTopic,
    created: Result<(usize, TopicConfig), Refusal>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match created {
        Ok((partitions, config)) => result
            .with_topic_id(core.topics.get(&topic.name).map_or(Uuid::nil(), |topic| topic.id))
            .with_num_partitions(partitions as i32)
            .with_replication_factor(1)
            .with_configs(Some(config.settings().into_iter().map(show).collect())),
        Err((error, why)) => result
            .with_error_code(error.code())
            .with_error_message(Some(string(&why)))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(Some(Vec::new())),
    }
}

fn show(setting: Setting) -> CreatableTopicConfigs {
    CreatableTopicConfigs::default()
        .with_name(string(setting.name))
        .with_value(Some(string(&setting.value)))
        .with_config_source(if setting.given { FROM_TOPIC } else { FROM_DEFAULT })
}
