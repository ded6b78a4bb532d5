//! DeleteRecords, versions 0 to 2: moves the start of a log; what lies before it is gone.

use kafka_protocol::messages::delete_records_request::DeleteRecordsPartition;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::wire::shape::{Shape, fixed, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 2,
    fields: &[structures(&[text(), structures(&[fixed(4), fixed(8)])]), fixed(4)],
};

/// Asks for everything to be deleted.
const HIGH_WATERMARK: i64 = -1;
const NO_LOW_WATERMARK: i64 = -1;

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let deleted = delete(core, &topic.name, partition);
            DeleteRecordsPartitionResult::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code_of(&deleted))
                .with_low_watermark(deleted.unwrap_or(NO_LOW_WATERMARK))
        });
        DeleteRecordsTopicResult::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name.clone())
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(core: &mut Core, topic: &str, wanted: &DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    let index = wanted.partition_index;
    let end = core.topics.partition(topic, index)?.log.high_watermark();
    if core.topics.get(topic).is_some_and(|topic| !topic.config.deletes) {
        return Err(ErrorCode::PolicyViolation);
    }
    let offset = if wanted.offset == HIGH_WATERMARK { end } else { wanted.offset };
    core.delete_records(topic, index, offset)
}
