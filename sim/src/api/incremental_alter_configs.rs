//! IncrementalAlterConfigs, versions 0 and 1: sets, deletes, appends and subtracts single settings of
//! topics and of the broker; for each resource all of it, or nothing.

use std::collections::BTreeSet;

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::message;
use super::resource::Resource;
use crate::config::{Operation, Refusal};
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, NONE};
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 1,
    fields: &[structures(&[fixed(1), text(), structures(&[text(), fixed(1), text()])]), fixed(1)],
};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| {
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match alter(core, call, resource, request.validate_only) {
            Ok(()) => response.with_error_code(NONE).with_error_message(None),
            Err((error, why)) => {
                response.with_error_code(error.code()).with_error_message(message(&why))
            }
        }
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn alter(
    core: &mut Core,
    call: &Call<'_>,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    if !resource.configs.iter().all(|config| names.insert(&config.name)) {
        let why = "a configuration is named twice".to_owned();
        return Err((ErrorCode::InvalidRequest, why));
    }
    let changes = resource.configs.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    let found = Resource::find(core, resource.resource_type, &resource.resource_name)?;
    found.alter(core, call, &changes, (false, validate_only))
}

fn change(config: &AlterableConfig) -> Result<(String, Operation), Refusal> {
    let name = config.name.to_string();
    let value = || {
        let value = config.value.as_ref().map(ToString::to_string);
        value.ok_or((ErrorCode::InvalidRequest, format!("Null value not supported for: {name}")))
    };
    let operation = match config.config_operation {
        SET => Operation::Set(value()?),
        DELETE => Operation::Delete,
        APPEND => Operation::Append(value()?),
        SUBTRACT => Operation::Subtract(value()?),
        _ => return Err((ErrorCode::UnknownServerError, String::new())),
    };
    Ok((name, operation))
}
