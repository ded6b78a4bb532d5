//! DescribeLogDirs, versions 1 to 4: how much each partition takes. There is one place for all.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::{distinct, text as string, topic_name};
use crate::core::Core;
use crate::dispatch::Call;
use crate::topics::Topic;
use crate::wire::shape::{Shape, fixed_array, structures, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 2, fields: &[structures(&[text(), fixed_array(4)])] };

/// The size of the volume is not looked at.
const UNKNOWN_BYTES: i64 = -1;

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let topics: Vec<DescribeLogDirsTopic> = match request.topics {
        None => core.topics.iter().map(|topic| describe(topic, |_| true)).collect(),
        Some(wanted) => {
            let wanted = distinct(wanted, |wanted| wanted.topic.clone());
            let found = wanted.filter_map(|wanted| {
                let topic = core.topics.get(&wanted.topic)?;
                let partitions: BTreeSet<i32> = wanted.partitions.into_iter().collect();
                Some(describe(topic, |index| partitions.contains(&index)))
            });
            found.collect()
        }
    };
    let directory = DescribeLogDirsResult::default()
        .with_log_dir(string(core.config.value("log.dirs").unwrap_or_default()))
        .with_topics(topics)
        .with_total_bytes(UNKNOWN_BYTES)
        .with_usable_bytes(UNKNOWN_BYTES);
    DescribeLogDirsResponse::default().with_results(vec![directory])
}

fn describe(topic: &Topic, wanted: impl Fn(i32) -> bool) -> DescribeLogDirsTopic {
    let partitions = (0..).zip(&topic.partitions).filter(|(index, _)| wanted(*index));
    let partitions = partitions.map(|(index, partition)| {
        DescribeLogDirsPartition::default()
            .with_partition_index(index)
            .with_partition_size(partition.log.size_bytes() as i64)
    });
    DescribeLogDirsTopic::default()
        .with_name(topic_name(&topic.name))
        .with_partitions(partitions.collect())
}
