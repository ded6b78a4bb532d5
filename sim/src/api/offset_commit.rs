//! OffsetCommit, versions 2 to 9: by members of the present generation, or by anybody
//! (generation -1) while the group has no members.

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::group::Caller;
use crate::group::offsets::CommittedOffset;
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 8,
    fields: &[
        text(),
        fixed(4),
        text(),
        text().since(7),
        fixed(8).until(4),
        structures(&[text(), structures(&[fixed(4), fixed(8), fixed(4).since(6), text()])]),
    ],
};

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let caller = Caller {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id_or_member_epoch,
    };
    let version = call.header.version;
    // A commit of nothing that there is does not even make its group.
    let known = request.topics.iter().any(|topic| {
        let mut indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        indexes.any(|index| core.topics.partition(&topic.name, index).is_ok())
    });
    let allowed = if known {
        core.groups.may_commit(&request.group_id, &caller, version, call.now)
    } else {
        Err(ErrorCode::UnknownTopicOrPartition)
    };
    // Versions 2 to 4 may bring a retention time of their own.
    let expires_wall_ms = Some(request.retention_time_ms)
        .filter(|retention_ms| *retention_ms >= 0)
        .map(|retention_ms| call.now.wall_ms.saturating_add(retention_ms));
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let there = core.topics.partition(&topic.name, index).map(|_| ());
            let committed = there.and(allowed).and_then(|()| {
                let committed = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref().unwrap_or("").to_owned(),
                    committed_wall_ms: call.now.wall_ms,
                    expires_wall_ms,
                };
                commit(core, &request.group_id, topic, partition, committed)
            });
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code_of(&committed))
        });
        OffsetCommitResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name.clone())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn commit(
    core: &mut Core,
    group_id: &str,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
    committed: CommittedOffset,
) -> Result<(), ErrorCode> {
    if committed.metadata.len() > core.groups.settings.max_metadata_bytes {
        return Err(ErrorCode::OffsetMetadataTooLarge);
    }
    core.commit_offset(group_id, &topic.name, partition.partition_index, committed)
}
