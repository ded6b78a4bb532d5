//! DescribeTopicPartitions, version 0: topics by name, a page of partitions at a time. A page that
//! ends early says where the next one begins.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};

use super::{NO_AUTHORIZED_OPERATIONS, TOPIC_OPERATIONS, topic_name};
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::log::LEADER_EPOCH;
use crate::topics::{Topic, check_name};
use crate::wire::shape::{Shape, fixed, nullable_structure, structures, text};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 0,
    fields: &[structures(&[text()]), fixed(4), nullable_structure(&[text(), fixed(4)])],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        return refused(request.topics);
    }
    let (first_name, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index.max(0) as usize),
        None => (String::new(), 0),
    };
    let most = core.config.number("max.request.partition.size.limit").unsigned_abs() as usize;
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, most);
    let mut page = Page { topics: Vec::new(), left: limit, next: None };
    let begin_at = |name: &str| if name == first_name { first_partition } else { 0 };
    if request.topics.is_empty() {
        for topic in core.topics.from(&first_name) {
            if !page.add(topic, begin_at(&topic.name)) {
                break;
            }
        }
    } else {
        let names: BTreeSet<&str> = request.topics.iter().map(|topic| &**topic.name).collect();
        for name in names.range(first_name.as_str()..) {
            match core.topics.get(name) {
                Some(topic) if !page.add(topic, begin_at(name)) => break,
                Some(_) => {}
                None => page.topics.push(unknown(name)),
            }
        }
    }
    DescribeTopicPartitionsResponse::default().with_topics(page.topics).with_next_cursor(page.next)
}

fn refused(topics: Vec<TopicRequest>) -> DescribeTopicPartitionsResponse {
    let topics = topics.into_iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_name(Some(topic.name))
            .with_topic_authorized_operations(NO_AUTHORIZED_OPERATIONS)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

struct Page {
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    left: usize,
    next: Option<Cursor>,
}

impl Page {
    /// Adds what fits of a topic from partition `first` on; false when the page is full.
    fn add(&mut self, topic: &Topic, first: usize) -> bool {
        let end = topic.partitions.len();
        let first = first.min(end);
        if self.left == 0 {
            self.next = Some(cursor(topic, first));
            return false;
        }
        let last = end.min(first + self.left);
        self.left -= last - first;
        self.topics.push(
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(topic_name(&topic.name)))
                .with_topic_id(topic.id)
                .with_partitions((first..last).map(describe).collect())
                .with_topic_authorized_operations(TOPIC_OPERATIONS),
        );
        if last < end {
            self.next = Some(cursor(topic, last));
            return false;
        }
        true
    }
}

fn cursor(topic: &Topic, partition: usize) -> Cursor {
    Cursor::default()
        .with_topic_name(topic_name(&topic.name))
        .with_partition_index(partition as i32)
}

fn describe(index: usize) -> DescribeTopicPartitionsResponsePartition {
    let this_broker = || vec![BrokerId(BROKER_ID)];
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(index as i32)
        .with_leader_id(BrokerId(BROKER_ID))
        .with_leader_epoch(LEADER_EPOCH)
        .with_replica_nodes(this_broker())
        .with_isr_nodes(this_broker())
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error = check_name(name).err().unwrap_or(ErrorCode::UnknownTopicOrPartition);
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(TopicName(super::text(name))))
        .with_topic_authorized_operations(TOPIC_OPERATIONS)
}
