//! AlterConfigs, versions 0 to 2: the older way, which replaces all that was given for a resource.

use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::resource::Resource;
use super::text as string;
use crate::config::{Operation, Refusal};
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, NONE};
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 2,
    fields: &[structures(&[fixed(1), text(), structures(&[text(), text()])]), fixed(1)],
};

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| {
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match replace(core, call, resource, request.validate_only) {
            Ok(()) => response.with_error_code(NONE).with_error_message(None),
            Err((error, why)) => {
                response.with_error_code(error.code()).with_error_message(Some(string(&why)))
            }
        }
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

fn replace(
    core: &mut Core,
    call: &Call<'_>,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refusal> {
    let changes = resource.configs.iter().map(|config| {
        let value = config.value.as_ref().map(ToString::to_string);
        let message = format!("Null value not supported for: {}", &*config.name);
        let value = value.ok_or((ErrorCode::InvalidRequest, message))?;
        Ok((config.name.to_string(), Operation::Set(value)))
    });
    let changes = changes.collect::<Result<Vec<_>, Refusal>>()?;
    let found = Resource::find(core, resource.resource_type, &resource.resource_name)?;
    found.alter(core, call, &changes, (true, validate_only))
}
