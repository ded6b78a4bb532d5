//! Heartbeat, versions 0 to 4: a sign of life, answered with REBALANCE_IN_PROGRESS when the member
//! has to join again.

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::code_of;
use crate::group::Caller;
use crate::wire::shape::{Shape, fixed, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 4, fields: &[text(), fixed(4), text(), text().since(3)] };

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let caller = Caller {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id,
    };
    let alive = core.groups.heartbeat(&request.group_id, &caller, call.now);
    HeartbeatResponse::default().with_error_code(code_of(&alive))
}
