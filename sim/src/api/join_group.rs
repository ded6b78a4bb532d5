//! JoinGroup, versions 0 to 9: answered when the group's next generation begins.
//!
//! MEMBER_ID_REQUIRED is sent from version 4 on, as older clients do not know it.

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::text as string;
use crate::core::{Core, Progress};
use crate::dispatch::{Call, CallHeader};
use crate::group::Join;
use crate::group::answer::{Joined, MemberMetadata};
use crate::group::member::Profile;
use crate::wire::shape::{Shape, bytes, fixed, structures, text};
use crate::wire::{Fatal, Outbox};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 6,
    fields: &[
        text(),
        fixed(4),
        fixed(4).since(1),
        text(),
        text().since(5),
        text(),
        structures(&[text(), bytes()]),
        text().since(8),
    ],
};

/// First version with a rebalance timeout of its own; before, it is the session timeout.
const REBALANCE_TIMEOUT_FROM: i16 = 1;
const MAX_REBALANCE_TIMEOUT_MS: u64 = 60 * 60 * 1_000;
/// First version in which the protocol may be null.
const NULLABLE_PROTOCOL_FROM: i16 = 7;
const NO_GENERATION: i32 = -1;

pub(crate) fn handle(
    core: &mut Core,
    call: &Call<'_>,
    request: JoinGroupRequest,
    outbox: &mut Outbox,
) -> Result<Progress, Fatal> {
    let version = call.header.version;
    let session_timeout_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
    let rebalance_timeout_ms = if version >= REBALANCE_TIMEOUT_FROM {
        u64::try_from(request.rebalance_timeout_ms).unwrap_or(0)
    } else {
        session_timeout_ms
    };
    let instance_id = request.group_instance_id.as_deref().map(str::to_owned);
    let named_after = instance_id.as_deref().unwrap_or(call.client_id);
    let new_member_id = format!("{named_after}-{}", core.rng.uuid());
    // Copies: what a group remembers must not keep read buffers alive.
    let protocols = request.protocols.iter().map(|protocol| {
        (protocol.name.as_str().to_owned(), Bytes::copy_from_slice(&protocol.metadata))
    });
    tracing::debug!(
        group = &**request.group_id,
        member = &*request.member_id,
        reason = request.reason.as_deref().unwrap_or("none given"),
        "a member joins"
    );
    let profile = Profile {
        instance_id,
        client_id: call.client_id.to_owned(),
        client_host: call.origin.client_host.clone(),
        session_timeout_ms,
        rebalance_timeout_ms: rebalance_timeout_ms.clamp(1, MAX_REBALANCE_TIMEOUT_MS),
        protocol_type: request.protocol_type.as_str().to_owned(),
        protocols: protocols.collect(),
    };
    let join = Join {
        token: call.origin.token,
        version,
        member_id: request.member_id.as_str().to_owned(),
        new_member_id,
        profile,
    };
    core.groups.join(&request.group_id, join, call.now);
    core.wait_for_group(call.origin.token, call.header, outbox)
}

pub(crate) fn response(joined: Joined, header: &CallHeader) -> JoinGroupResponse {
    let response = JoinGroupResponse::default().with_member_id(string(&joined.member_id));
    match joined.generation {
        Ok(generation) => response
            .with_generation_id(generation.generation_id)
            .with_protocol_type(Some(string(&generation.protocol_type)))
            .with_protocol_name(Some(string(&generation.protocol_name)))
            .with_leader(string(&generation.leader))
            .with_skip_assignment(generation.skip_assignment)
            .with_members(generation.members.into_iter().map(member).collect()),
        Err(error) => response
            .with_error_code(error.code())
            .with_generation_id(NO_GENERATION)
            .with_protocol_name((header.version < NULLABLE_PROTOCOL_FROM).then(|| string(""))),
    }
}

fn member(metadata: MemberMetadata) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(string(&metadata.member_id))
        .with_group_instance_id(metadata.instance_id.as_deref().map(string))
        .with_metadata(metadata.metadata)
}
