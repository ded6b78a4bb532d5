//! OffsetForLeaderEpoch, versions 2 to 4. There is one epoch, and it ends where the log ends.

use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::log::LEADER_EPOCH;
use crate::topics::Topics;
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[
        fixed(4).since(3),
        structures(&[text(), structures(&[fixed(4), fixed(4), fixed(4)])]),
    ],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let partitions =
            partitions.map(|partition| look_up(&core.topics, &topic.topic, partition)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn look_up(topics: &Topics, topic: &str, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(wanted.partition);
    let failure = |error: ErrorCode| {
        response.clone().with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1)
    };
    match topics.partition(topic, wanted.partition) {
        Err(error) => failure(error),
        Ok(_) if wanted.current_leader_epoch > LEADER_EPOCH => {
            failure(ErrorCode::UnknownLeaderEpoch)
        }
        Ok(_) if wanted.leader_epoch != LEADER_EPOCH => {
            response.with_leader_epoch(-1).with_end_offset(-1)
        }
        Ok(partition) => {
            response.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.log.high_watermark())
        }
    }
}
