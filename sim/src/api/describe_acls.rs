//! DescribeAcls, versions 1 to 3: there is no access control. User interfaces ask in order to know.

use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::text as string;
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, fixed, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 2,
    fields: &[fixed(1), text(), fixed(1), text(), text(), fixed(1), fixed(1)],
};

pub(crate) fn answer(_: &mut Core, _: &Call<'_>, _: DescribeAclsRequest) -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(string("No Authorizer is configured.")))
}
