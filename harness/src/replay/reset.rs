//! Sets back what a group has committed. Only a group without members can be: Kafka refuses others, and a
//! service that runs would go on where it is.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use contract::topics::Topic;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use rskafka::client::Client;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};

use crate::audit::committed::{Broker, GROUPS, OFFSET_FETCH_VERSION, coordinator};
use crate::audit::reader;
use crate::cli::Place;
use crate::exit::Outcome;
use crate::run::kafka::PATIENCE;
use crate::say;

/// Both are served by every Kafka since 2.3 and by Kafka 4, and have no flexible fields.
const DESCRIBE_GROUPS_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 7;

type Offsets = BTreeMap<(Topic, i32), i64>;

pub(super) async fn reset(
    group: &str,
    to: Place,
    kafka: &str,
    data_dir: &Path,
) -> anyhow::Result<Outcome> {
    let topics = GROUPS.iter().find(|(name, _)| *name == group).map(|(_, topics)| *topics);
    let topics = topics.with_context(|| {
        let names = GROUPS.map(|(name, _)| name).join(", ");
        format!("{group:?} is no group of the shop: use {names}")
    })?;
    let mut coordinator = coordinator(kafka, group).await?;
    check_empty(&mut coordinator, group).await?;
    let client = reader::connect(kafka, PATIENCE).await?;
    let before = committed(&mut coordinator, group).await?;
    let wanted = match to {
        Place::Earliest => bounds(&client, topics).await?.into_iter().map(first).collect(),
        Place::Offset(offset) => at(&bounds(&client, topics).await?, offset)?,
        Place::Checkpoint => checkpoint(group, topics, data_dir)?,
    };
    ensure!(!wanted.is_empty(), "there is nothing to reset");
    commit(&mut coordinator, group, &wanted).await?;
    for ((topic, partition), offset) in &wanted {
        let before = before.get(&(*topic, *partition));
        let before = before.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        say::line(format_args!("{group} on {}/{partition}: {before} → {offset}", topic.name()));
    }
    Ok(Outcome::Done)
}

async fn check_empty(coordinator: &mut Broker, group: &str) -> anyhow::Result<()> {
    let name = GroupId(StrBytes::from_string(group.to_owned()));
    let request = DescribeGroupsRequest::default().with_groups(vec![name]);
    let answer = coordinator.ask(&request, DESCRIBE_GROUPS_VERSION).await?;
    let described: &DescribedGroup = answer.groups.first().context("Kafka describes no group")?;
    ensure!(
        described.error_code == 0,
        "{group} cannot be described: code {}",
        described.error_code
    );
    if described.members.is_empty() {
        return Ok(());
    }
    let members = described.members.iter().map(|member| {
        let instance = member.group_instance_id.as_ref().unwrap_or(&member.member_id);
        format!("{} at {}", instance.as_str(), member.client_host.as_str())
    });
    let members: Vec<String> = members.collect();
    bail!(
        "{group} has members and cannot be reset; stop these first (a service that was killed is gone after \
         its session's 10 s): {}",
        members.join(", ")
    )
}

async fn committed(coordinator: &mut Broker, group: &str) -> anyhow::Result<Offsets> {
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_topics(None);
    let answer = coordinator.ask(&request, OFFSET_FETCH_VERSION).await?;
    ensure!(answer.error_code == 0, "offsets of {group}: code {}", answer.error_code);
    let mut offsets = Offsets::new();
    for of_topic in answer.topics {
        let is = |topic: &Topic| topic.name() == of_topic.name.as_str();
        let Some(topic) = Topic::ALL.into_iter().find(is) else { continue };
        for place in of_topic.partitions.iter().filter(|place| place.committed_offset >= 0) {
            offsets.insert((topic, place.partition_index), place.committed_offset);
        }
    }
    Ok(offsets)
}

/// The first and the next offset of every partition of `topics`.
async fn bounds(
    client: &Client,
    topics: &[Topic],
) -> anyhow::Result<BTreeMap<(Topic, i32), (i64, i64)>> {
    let listed = client.list_topics().await.context("Kafka does not list its topics")?;
    let mut bounds = BTreeMap::new();
    for topic in topics {
        let Some(found) = listed.iter().find(|found| found.name == topic.name()) else { continue };
        for partition in &found.partitions {
            let handling = UnknownTopicHandling::Error;
            let log = client.partition_client(topic.name(), *partition, handling).await?;
            let earliest = log.get_offset(OffsetAt::Earliest).await?;
            let latest = log.get_offset(OffsetAt::Latest).await?;
            bounds.insert((*topic, *partition), (earliest, latest));
        }
    }
    Ok(bounds)
}

fn first((place, (earliest, _)): ((Topic, i32), (i64, i64))) -> ((Topic, i32), i64) {
    (place, earliest)
}

/// `offset` on every partition, which must have it or end there.
fn at(bounds: &BTreeMap<(Topic, i32), (i64, i64)>, offset: i64) -> anyhow::Result<Offsets> {
    for ((topic, partition), (earliest, latest)) in bounds {
        ensure!(
            (*earliest..=*latest).contains(&offset),
            "{}/{partition} goes from offset {earliest} to {latest}: {offset} is not in it",
            topic.name()
        );
    }
    Ok(bounds.keys().map(|place| (*place, offset)).collect())
}

/// The offsets of the service's last snapshots; topics that no snapshot speaks of stay as they are.
fn checkpoint(group: &str, topics: &[Topic], data_dir: &Path) -> anyhow::Result<Offsets> {
    let service = group.strip_suffix("-service").unwrap_or(group);
    let found = services::checkpoint::offsets(data_dir, service);
    let offsets: Offsets =
        found.into_iter().filter(|((topic, _), _)| topics.contains(topic)).collect();
    ensure!(
        !offsets.is_empty(),
        "{} holds no usable snapshot of {service}: name the folder with --data-dir",
        data_dir.display()
    );
    Ok(offsets)
}

async fn commit(coordinator: &mut Broker, group: &str, offsets: &Offsets) -> anyhow::Result<()> {
    let mut topics: BTreeMap<Topic, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        topics.entry(*topic).or_default().push(
            OffsetCommitRequestPartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(*offset),
        );
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        let name = TopicName(StrBytes::from_static_str(topic.name()));
        OffsetCommitRequestTopic::default().with_name(name).with_partitions(partitions)
    });
    // Without a member and a generation: Kafka takes that only while the group is empty.
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.collect());
    let answer = coordinator.ask(&request, OFFSET_COMMIT_VERSION).await?;
    let refused = answer.topics.iter().flat_map(|topic| &topic.partitions);
    if let Some(refused) = refused.into_iter().find(|partition| partition.error_code != 0) {
        bail!(
            "Kafka refuses the offsets of {group} with code {}: has somebody joined it?",
            refused.error_code
        );
    }
    Ok(())
}
