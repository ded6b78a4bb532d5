//! DescribeProducers, version 0: the idempotent producers that a partition remembers.

use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::distinct;
use crate::core::Core;
use crate::dispatch::Call;
use crate::wire::shape::{Shape, fixed_array, structures, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 0, fields: &[structures(&[text(), fixed_array(4)])] };

/// Coordinator epoch and first offset of a transaction, where there is none.
const NO_TRANSACTION: i8 = -1;

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = distinct(request.topics, |topic| topic.name.clone()).map(|topic| {
        let partitions = distinct(topic.partition_indexes, |index| *index);
        let partitions = partitions.map(|index| describe(core, &topic.name, index)).collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn describe(core: &Core, topic: &str, index: i32) -> PartitionResponse {
    let response = PartitionResponse::default().with_partition_index(index);
    match core.topics.partition(topic, index) {
        Err(error) => response.with_error_code(error.code()).with_error_message(None),
        Ok(partition) => {
            let producers = partition.producers.iter().map(|(id, producer)| {
                ProducerState::default()
                    .with_producer_id(ProducerId(id))
                    .with_producer_epoch(i32::from(producer.epoch))
                    .with_last_sequence(producer.last_sequence())
                    .with_last_timestamp(producer.last_timestamp())
                    .with_coordinator_epoch(i32::from(NO_TRANSACTION))
                    .with_current_txn_start_offset(i64::from(NO_TRANSACTION))
            });
            response.with_active_producers(producers.collect())
        }
    }
}
