//! DeleteGroups, versions 0 to 2: forgets groups without members, and what they have committed.

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::code_of;
use crate::wire::shape::{Shape, texts};

pub(crate) const SHAPE: Shape = Shape { flexible_from: 2, fields: &[texts()] };

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|group_id| {
        let deleted = core.delete_group(&group_id);
        DeletableGroupResult::default().with_group_id(group_id).with_error_code(code_of(&deleted))
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}
