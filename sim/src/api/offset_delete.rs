//! OffsetDelete, version 0: forgets committed offsets of topics that the group does not read.

use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::wire::shape::{Shape, fixed, structures, text};

/// Flexible in no version.
pub(crate) const SHAPE: Shape = Shape {
    flexible_from: i16::MAX,
    fields: &[text(), structures(&[text(), structures(&[fixed(4)])])],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let group_id = &request.group_id;
    if let Err(error) = core.groups.may_delete_offsets(group_id) {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let deleted = delete(core, group_id, &topic.name, partition.partition_index);
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code_of(&deleted))
        });
        OffsetDeleteResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name.clone())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}

fn delete(core: &mut Core, group_id: &str, topic: &str, partition: i32) -> Result<(), ErrorCode> {
    core.topics.partition(topic, partition)?;
    if core.groups.may_delete_offsets(group_id)?.is_subscribed_to(topic) {
        return Err(ErrorCode::GroupSubscribedToTopic);
    }
    core.delete_offset(group_id, topic, partition);
    Ok(())
}
