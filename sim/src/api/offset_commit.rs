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
use crate::group::offsets::{CommittedOffset, MAX_METADATA_BYTES};
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
    let allowed = core.groups.committer(&request.group_id, &caller, call.now).map(|_| ());
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let committed = allowed
                .and_then(|()| commit(core, call, (&request.group_id, &caller), topic, partition));
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
    call: &Call<'_>,
    (group_id, caller): (&str, &Caller<'_>),
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > MAX_METADATA_BYTES {
        return Err(ErrorCode::OffsetMetadataTooLarge);
    }
    core.topics.partition(&topic.name, partition.partition_index)?;
    let group = core.groups.committer(group_id, caller, call.now)?;
    let committed = CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: metadata.to_owned(),
    };
    group.offsets.commit(&topic.name, partition.partition_index, committed);
    Ok(())
}
