//! LeaveGroup, versions 0 to 5: one member, or several named by member or instance id since
//! version 3, with a reason since version 5, which is logged.

use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::wire::shape::{Shape, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[text(), text().until(2), structures(&[text(), text(), text().since(5)]).since(3)],
};

/// First version that lets several members leave.
const BATCHED_FROM: i16 = 3;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    if request.group_id.is_empty() {
        return LeaveGroupResponse::default().with_error_code(ErrorCode::InvalidGroupId.code());
    }
    let response = if call.header.version < BATCHED_FROM {
        let left = core.groups.leave(&request.group_id, &request.member_id, None, call.now);
        LeaveGroupResponse::default().with_error_code(code_of(&left))
    } else {
        let members = request.members.into_iter().map(|member| {
            let instance_id = member.group_instance_id.as_deref();
            let left =
                core.groups.leave(&request.group_id, &member.member_id, instance_id, call.now);
            tracing::info!(
                group = &**request.group_id,
                member = &*member.member_id,
                instance_id,
                reason = member.reason.as_deref().unwrap_or("none given"),
                error = code_of(&left),
                "a member leaves"
            );
            MemberResponse::default()
                .with_error_code(code_of(&left))
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
        });
        LeaveGroupResponse::default().with_members(members.collect())
    };
    core.deliver_group_answers();
    response
}
