//! ApiVersions, versions 0 to 4: the table of `dispatch.rs`, as clients see it.

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use crate::core::Core;
use crate::dispatch::{APIS, Call};
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 3, fields: &[text().since(3), text().since(3)] };

/// First version in which a client says what it is.
const NAMED_FROM: i16 = 3;

pub(crate) fn answer(
    _: &mut Core,
    call: &Call<'_>,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if call.header.version >= NAMED_FROM && !names.into_iter().all(|name| is_sound(name)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    ApiVersionsResponse::default().with_api_keys(all())
}

/// Kafka's rule: letters and digits, with dots and dashes between them.
fn is_sound(name: &str) -> bool {
    let alone = |byte: u8| byte.is_ascii_alphanumeric();
    let between = |byte: u8| alone(byte) || matches!(byte, b'.' | b'-');
    let ends = [name.bytes().next(), name.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(alone)) && name.bytes().all(between)
}

/// For a version that is not served: error 35, for version 0, with the list all the same.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(all())
}

fn all() -> Vec<ApiVersion> {
    let mut versions: Vec<ApiVersion> = APIS
        .iter()
        .map(|api| {
            ApiVersion::default()
                .with_api_key(api.key)
                .with_min_version(api.advertised_from)
                .with_max_version(*api.versions.end())
        })
        .collect();
    versions.sort_by_key(|version| version.api_key);
    versions
}
