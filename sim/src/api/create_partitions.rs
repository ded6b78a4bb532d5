//! CreatePartitions, versions 0 to 3: more partitions for a topic; never fewer.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{check_assignment, message, with_repeats};
use crate::config::Refusal;
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, fixed, fixed_array, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 2,
    fields: &[structures(&[text(), fixed(4), structures(&[fixed_array(4)])]), fixed(4), fixed(1)],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut results = Vec::new();
    for (topic, repeated) in with_repeats(&request.topics, |topic| topic.name.clone()) {
        let created = if repeated {
            Err((ErrorCode::InvalidRequest, "Duplicate topic in request.".to_owned()))
        } else {
            create(core, topic, request.validate_only)
        };
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        results.push(match created {
            Ok(()) => result.with_error_message(None),
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(message(&why))
            }
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

fn create(
    core: &mut Core,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refusal> {
    let Some(found) = core.topics.get(&topic.name) else {
        return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
    };
    let present = found.partitions.len();
    let wanted = usize::try_from(topic.count).unwrap_or(0);
    if wanted <= present {
        let message = if wanted == present {
            format!("Topic already has {present} partition(s).")
        } else {
            let count = topic.count;
            format!(
                "The topic {} has {present} partition(s); {count} would be fewer.",
                &*topic.name
            )
        };
        return Err((ErrorCode::InvalidPartitions, message));
    }
    if let Some(assignments) = &topic.assignments {
        let assigned = assignments.iter().map(|assigned| (None, &assigned.broker_ids[..]));
        if check_assignment(present, assigned)? != wanted {
            let added = wanted - present;
            let given = assignments.len();
            let message = format!("{added} partition(s) would be added, but {given} assigned.");
            return Err((ErrorCode::InvalidReplicaAssignment, message));
        }
    }
    core.topics.check_growth(present, wanted).map_err(too_many)?;
    if validate_only {
        Ok(())
    } else {
        core.create_partitions(&topic.name, wanted).map_err(too_many)
    }
}

fn too_many(error: ErrorCode) -> Refusal {
    (error, "more partitions than this broker can hold".to_owned())
}
