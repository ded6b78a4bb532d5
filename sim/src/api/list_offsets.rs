//! ListOffsets, versions 1 to 10: the ends of a log, or the offset at a timestamp.

use std::collections::BTreeSet;

use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::log::LEADER_EPOCH;
use crate::topics::Topics;
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 6,
    fields: &[
        fixed(4),
        fixed(1).since(2),
        structures(&[text(), structures(&[fixed(4), fixed(4).since(4), fixed(8)])]),
        fixed(4).since(10),
    ],
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
/// First versions that know the special timestamps.
const MAX_TIMESTAMP_FROM: i16 = 7;
const EARLIEST_LOCAL_FROM: i16 = 8;
const LATEST_TIERED_FROM: i16 = 9;
/// First version whose response has a leader epoch.
const LEADER_EPOCH_FROM: i16 = 4;
/// Timestamp and offset that stand for "none".
const NONE: i64 = -1;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let repeated = repeated(&request);
    let topics = request.topics.into_iter().map(|topic| {
        let look_up = |partition: &ListOffsetsPartition| {
            if repeated.contains(&(topic.name.clone(), partition.partition_index)) {
                let response = ListOffsetsPartitionResponse::default()
                    .with_partition_index(partition.partition_index);
                return failure(response, ErrorCode::InvalidRequest);
            }
            look_up(&core.topics, call, &topic.name, partition)
        };
        let partitions = topic.partitions.iter().map(look_up).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn look_up(
    topics: &Topics,
    call: &Call<'_>,
    topic: &str,
    wanted: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let response =
        ListOffsetsPartitionResponse::default().with_partition_index(wanted.partition_index);
    let found = match topics.partition(topic, wanted.partition_index) {
        Err(error) => Err(error),
        Ok(_) if wanted.current_leader_epoch > LEADER_EPOCH => Err(ErrorCode::UnknownLeaderEpoch),
        Ok(_) if !is_known(wanted.timestamp, call.header.version) => {
            Err(ErrorCode::UnsupportedVersion)
        }
        Ok(partition) => match wanted.timestamp {
            LATEST => Ok((partition.log.high_watermark(), NONE)),
            EARLIEST | EARLIEST_LOCAL => Ok((partition.log.log_start_offset(), NONE)),
            LATEST_TIERED => Ok((NONE, NONE)),
            MAX_TIMESTAMP => Ok(partition.log.offset_of_max_timestamp().unwrap_or((NONE, NONE))),
            timestamp => Ok(partition.log.offset_at(timestamp).unwrap_or((NONE, NONE))),
        },
    };
    match found {
        Ok((offset, timestamp)) => {
            let known = offset != NONE && call.header.version >= LEADER_EPOCH_FROM;
            let epoch = if known { LEADER_EPOCH } else { -1 };
            response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
        }
        Err(error) => failure(response, error),
    }
}

fn failure(
    response: ListOffsetsPartitionResponse,
    error: ErrorCode,
) -> ListOffsetsPartitionResponse {
    response.with_error_code(error.code()).with_offset(NONE).with_timestamp(NONE)
}

/// Partitions that are named more than once: Kafka refuses them, and each could cost a look into
/// compressed records.
fn repeated(request: &ListOffsetsRequest) -> BTreeSet<(TopicName, i32)> {
    let mut seen = BTreeSet::new();
    let partitions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.clone(), partition.partition_index))
    });
    partitions.filter(|partition| !seen.insert(partition.clone())).collect()
}

fn is_known(timestamp: i64, version: i16) -> bool {
    match timestamp {
        MAX_TIMESTAMP => version >= MAX_TIMESTAMP_FROM,
        EARLIEST_LOCAL => version >= EARLIEST_LOCAL_FROM,
        LATEST_TIERED => version >= LATEST_TIERED_FROM,
        timestamp => timestamp >= EARLIEST,
    }
}
