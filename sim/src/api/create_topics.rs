//! CreateTopics, versions 2 to 7. There is one broker, so a replication factor is 1 (or -1, the
//! default), and a manual assignment may name only that broker. From version 5 on the answer has
//! the new topic's whole configuration.

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{MAX_CREATED, check_assignment, text as string, with_repeats};
use crate::config::{Operation, Overrides, Refusal, Shown};
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::topic_config::{self, TopicConfig};
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

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut results = Vec::new();
    for (topic, repeated) in with_repeats(&request.topics, |topic| topic.name.clone()) {
        let created = if results.len() >= MAX_CREATED {
            let why = format!("more than {MAX_CREATED} topics in one request");
            Err((ErrorCode::PolicyViolation, why))
        } else if repeated {
            Err((ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            create(core, call, topic, request.validate_only)
        };
        results.push(result(core, topic, created));
    }
    CreateTopicsResponse::default().with_topics(results)
}

fn create(
    core: &mut Core,
    call: &Call<'_>,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(usize, Overrides), Refusal> {
    let partitions = partitions(core, topic)?;
    let mut changes = Vec::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for topic config {}", &*config.name);
            return Err((ErrorCode::InvalidConfig, message));
        };
        changes.push((config.name.to_string(), Operation::Set(value.to_string())));
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
    if let Some(other) = core.topics.collision(&topic.name) {
        let message =
            format!("Topic '{}' collides with existing topic: {}", &*topic.name, other.name);
        return Err((ErrorCode::InvalidTopicException, message));
    }
    let given = topic_config::altered(&Overrides::new(), &changes, &core.config)?;
    if !validate_only {
        core.create_topic(&topic.name, partitions, given.clone(), call.now).map_err(explain)?;
    }
    Ok((partitions, given))
}

fn partitions(core: &Core, topic: &CreatableTopic) -> Result<usize, Refusal> {
    let refuse = |error: ErrorCode, why: &str| Err((error, why.to_owned()));
    if !topic.assignments.is_empty() {
        if topic.replication_factor != -1 || topic.num_partitions != DEFAULT {
            let why = "with an assignment, the numbers of replicas and partitions have to be -1";
            return refuse(ErrorCode::InvalidRequest, why);
        }
        let assigned = topic.assignments.iter();
        let assigned = assigned.map(|one| (Some(one.partition_index), &one.broker_ids[..]));
        return check_assignment(0, assigned);
    }
    match topic.replication_factor {
        -1 | 1 => {}
        ..=0 => {
            let why = "Replication factor must be larger than 0, or -1 for the default.";
            return refuse(ErrorCode::InvalidReplicationFactor, why);
        }
        _ => return refuse(ErrorCode::InvalidReplicationFactor, "only 1 broker is registered"),
    }
    match topic.num_partitions {
        DEFAULT => Ok(core.default_partitions()),
        count @ 1.. => Ok(count as usize),
        _ => refuse(
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ),
    }
}

fn result(
    core: &mut Core,
    topic: &CreatableTopic,
    created: Result<(usize, Overrides), Refusal>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match created {
        Ok((partitions, given)) => {
            let config = TopicConfig::new(given, &core.config).shown(&core.config);
            let id = core.topics.get(&topic.name).map(|topic| topic.id);
            result
                // A topic that was only asked about is told an id all the same, as by Kafka.
                .with_topic_id(id.unwrap_or_else(|| core.rng.uuid()))
                .with_error_message(None)
                .with_num_partitions(partitions as i32)
                .with_replication_factor(1)
                .with_configs(Some(config.into_iter().map(show).collect()))
        }
        Err((error, why)) => result
            .with_error_code(error.code())
            .with_error_message(Some(string(&why)))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(Some(Vec::new())),
    }
}

fn show(setting: Shown) -> CreatableTopicConfigs {
    CreatableTopicConfigs::default()
        .with_name(string(setting.name))
        .with_is_sensitive(setting.is_sensitive())
        .with_value(setting.value.as_deref().map(string))
        .with_read_only(setting.read_only)
        .with_config_source(setting.source as i8)
}
