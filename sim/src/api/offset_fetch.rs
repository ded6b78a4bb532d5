//! OffsetFetch, versions 1 to 9: a group's committed offsets, of some topics or of all; several
//! groups at once since version 8. A partition without a commit has offset -1.

use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use kafka_protocol::protocol::StrBytes;

use super::{distinct, text as string, topic_name};
use crate::core::Core;
use crate::dispatch::Call;
use crate::group::Coordinator;
use crate::group::offsets::CommittedOffset;
use crate::wire::shape::{Shape, fixed, fixed_array, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 6,
    fields: &[
        text().until(7),
        structures(&[text(), fixed_array(4)]).until(7),
        structures(&[
            text(),
            text().since(9),
            fixed(4).since(9),
            structures(&[text(), fixed_array(4)]),
        ])
        .since(8),
        fixed(1).since(7),
    ],
};

/// First version that asks for several groups.
const BATCHED_FROM: i16 = 8;

/// Topics with their partitions; `None` asks for everything the group has.
type Wanted = Option<Vec<(String, Vec<i32>)>>;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if call.header.version >= BATCHED_FROM {
        let groups = distinct(request.groups, |group| group.group_id.clone());
        let groups = groups.map(|group| {
            let wanted = group.topics.map(|topics| {
                let topics = topics.into_iter();
                topics.map(|topic| (topic.name.to_string(), topic.partition_indexes)).collect()
            });
            let topics = committed(&core.groups, &group.group_id, wanted, |name, partitions| {
                OffsetFetchResponseTopics::default()
                    .with_name(topic_name(&name))
                    .with_partitions(partitions.into_iter().map(in_group).collect())
            });
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let wanted = request.topics.map(|topics| {
        let topics = topics.into_iter();
        topics.map(|topic| (topic.name.to_string(), topic.partition_indexes)).collect()
    });
    let topics = committed(&core.groups, &request.group_id, wanted, |name, partitions| {
        OffsetFetchResponseTopic::default()
            .with_name(topic_name(&name))
            .with_partitions(partitions.into_iter().map(alone).collect())
    });
    OffsetFetchResponse::default().with_topics(topics)
}

fn committed<T>(
    groups: &Coordinator,
    group_id: &str,
    wanted: Wanted,
    topic: impl Fn(String, Vec<(i32, Option<&CommittedOffset>)>) -> T,
) -> Vec<T> {
    let group = groups.get(group_id);
    let all = || {
        let topics = group.into_iter().flat_map(|group| group.offsets.topics());
        topics.map(|(name, partitions)| (name.to_owned(), partitions)).collect()
    };
    let found = |name: String, partitions: &mut dyn Iterator<Item = i32>| {
        let offset_of = |index| group.and_then(|group| group.offsets.get(&name, index));
        let partitions = partitions.map(|index| (index, offset_of(index))).collect();
        topic(name, partitions)
    };
    distinct(wanted.unwrap_or_else(all), |(name, _)| name.clone())
        .map(|(name, partitions)| found(name, &mut distinct(partitions, |index| *index)))
        .collect()
}

fn metadata_of(committed: Option<&CommittedOffset>) -> Option<StrBytes> {
    Some(string(committed.map_or("", |committed| &committed.metadata)))
}

fn alone((index, committed): (i32, Option<&CommittedOffset>)) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(index)
        .with_committed_offset(committed.map_or(-1, |committed| committed.offset))
        .with_committed_leader_epoch(committed.map_or(-1, |committed| committed.leader_epoch))
        .with_metadata(metadata_of(committed))
}

fn in_group((index, committed): (i32, Option<&CommittedOffset>)) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(committed.map_or(-1, |committed| committed.offset))
        .with_committed_leader_epoch(committed.map_or(-1, |committed| committed.leader_epoch))
        .with_metadata(metadata_of(committed))
}
