//! SyncGroup, versions 0 to 5: the leader brings the assignment, the others wait for it.

use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::text as string;
use crate::core::{Core, Progress};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::group::answer::Synced;
use crate::group::{Caller, Sync};
use crate::wire::shape::{Shape, bytes, fixed, structures, text};
use crate::wire::{Fatal, Outbox};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[
        text(),
        fixed(4),
        text(),
        text().since(3),
        text().since(5),
        text().since(5),
        structures(&[text(), bytes()]),
    ],
};

pub(crate) fn handle(
    core: &mut Core,
    call: &Call<'_>,
    request: SyncGroupRequest,
    outbox: &mut Outbox,
) -> Result<Progress, Fatal> {
    let caller = Caller {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id,
    };
    let assignments = request.assignments.iter().map(|assigned| {
        (assigned.member_id.as_str().to_owned(), Bytes::copy_from_slice(&assigned.assignment))
    });
    let sync = Sync {
        protocol_type: request.protocol_type.as_deref().map(str::to_owned),
        protocol_name: request.protocol_name.as_deref().map(str::to_owned),
        assignments: assignments.collect(),
    };
    core.groups.sync(&request.group_id, call.origin.token, &caller, sync, call.now);
    core.wait_for_group(call.origin.token, call.header, outbox)
}

pub(crate) fn response(synced: Result<Synced, ErrorCode>) -> SyncGroupResponse {
    match synced {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(Some(string(&synced.protocol_type)))
            .with_protocol_name(Some(string(&synced.protocol_name)))
            .with_assignment(synced.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}
