//! DescribeGroups, versions 0 to 6: members, and of a stable group their subscriptions and assignments.

use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::{GROUP_OPERATIONS, NO_AUTHORIZED_OPERATIONS, distinct, operations, text as string};
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::group::member::Member;
use crate::group::state::{Group, State};
use crate::wire::shape::{Shape, fixed, texts};

pub(crate) const SHAPE: Shape = Shape { flexible_from: 5, fields: &[texts(), fixed(1).since(3)] };

/// First version that says that a group does not exist; before, it is a dead one.
const NOT_FOUND_FROM: i16 = 6;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let operations = operations(request.include_authorized_operations, GROUP_OPERATIONS);
    let groups = distinct(request.groups, GroupId::clone).map(|id| match core.groups.get(&id) {
        Some(group) => describe(id, group).with_authorized_operations(operations),
        None => {
            let version = call.header.version;
            let error =
                if version >= NOT_FOUND_FROM { ErrorCode::GroupIdNotFound.code() } else { 0 };
            let message = (error != 0).then(|| string(&format!("Group {} not found.", &*id)));
            DescribedGroup::default()
                .with_group_id(id)
                .with_group_state(string("Dead"))
                .with_error_code(error)
                .with_error_message(message)
                .with_authorized_operations(if error == 0 {
                    operations
                } else {
                    NO_AUTHORIZED_OPERATIONS
                })
        }
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe(id: GroupId, group: &Group) -> DescribedGroup {
    // Between generations there is no protocol, so no metadata in its words.
    let protocol = (group.state == State::Stable).then_some(group.protocol_name.as_str());
    let members = group.members.iter().map(|(id, member)| describe_member(id, member, protocol));
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(string(group.state.name()))
        .with_protocol_type(string(&group.protocol_type))
        .with_protocol_data(string(protocol.unwrap_or_default()))
        .with_members(members.collect())
}

fn describe_member(id: &str, member: &Member, protocol: Option<&str>) -> DescribedGroupMember {
    let described = DescribedGroupMember::default()
        .with_member_id(string(id))
        .with_group_instance_id(member.profile.instance_id.as_deref().map(string))
        .with_client_id(string(&member.profile.client_id))
        .with_client_host(string(&format!("/{}", member.profile.client_host)));
    match protocol {
        None => described,
        Some(protocol) => described
            .with_member_metadata(member.metadata(protocol))
            .with_member_assignment(member.assignment.clone()),
    }
}
