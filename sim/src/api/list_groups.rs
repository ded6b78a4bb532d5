//! ListGroups, versions 0 to 5, with the filters by state and by type. All groups are classic.

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::text as string;
use crate::core::Core;
use crate::dispatch::Call;
use crate::wire::shape::{Shape, texts};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 3, fields: &[texts().since(4), texts().since(5)] };

const CLASSIC: &str = "classic";

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let groups = core
        .groups
        .iter()
        .filter(|(_, group)| passes(&request.states_filter, group.state.name()))
        .filter(|_| passes(&request.types_filter, CLASSIC))
        .map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(GroupId(string(id)))
                .with_protocol_type(string(&group.protocol_type))
                .with_group_state(string(group.state.name()))
                .with_group_type(string(CLASSIC))
        });
    ListGroupsResponse::default().with_groups(groups.collect())
}

fn passes(filter: &[StrBytes], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
}
