//! Topics and their partitions: names, ids, configuration, logs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::Token;
use crate::clock::Now;
use crate::error::ErrorCode;
use crate::log::Log;
use crate::producers::Producers;
use crate::topic_config::TopicConfig;

/// Kafka's limit for a topic's name.
const MAX_NAME_BYTES: usize = 249;
/// Partitions of all topics together: each costs memory even when it is empty.
const MAX_PARTITIONS: usize = 50_000;
/// Topics whose names clients must not create by merely asking for them.
pub(crate) const INTERNAL_TOPICS: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    pub(crate) producers: Producers,
    /// Fetches that wait for records here.
    pub(crate) waiting: BTreeSet<Token>,
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Partition>,
}

impl Topic {
    pub(crate) fn partition_mut(&mut self, index: i32) -> Result<&mut Partition, ErrorCode> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.partitions.get_mut(index))
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    names_by_id: BTreeMap<Uuid, Arc<str>>,
    partition_count: usize,
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.names_by_id.get(&id).cloned()
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Result<&Partition, ErrorCode> {
        self.get(topic)
            .zip(usize::try_from(index).ok())
            .and_then(|(topic, index)| topic.partitions.get(index))
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    pub(crate) fn partition_mut(
        &mut self,
        topic: &str,
        index: i32,
    ) -> Result<&mut Partition, ErrorCode> {
        self.get_mut(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?.partition_mut(index)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    /// The topics from this name on, by name.
    pub(crate) fn from(&self, name: &str) -> impl Iterator<Item = &Topic> {
        self.by_name
            .range::<str, _>((std::ops::Bound::Included(name), std::ops::Bound::Unbounded))
            .map(|(_, topic)| topic)
    }

    /// A topic whose name differs from this one in no more than dots and underscores: metrics of
    /// the two could not be told apart, so Kafka refuses the second.
    pub(crate) fn collision(&self, name: &str) -> Option<&Topic> {
        if !name.contains(['.', '_']) {
            return None;
        }
        let plain = |name: &str| name.replace('.', "_");
        let wanted = plain(name);
        self.iter().find(|topic| &*topic.name != name && plain(&topic.name) == wanted)
    }

    /// All topics, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    /// What [`Topics::create`] would refuse.
    pub(crate) fn check_new(&self, name: &str, partitions: usize) -> Result<(), ErrorCode> {
        check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(ErrorCode::TopicAlreadyExists);
        }
        if partitions == 0 || self.partition_count + partitions > MAX_PARTITIONS {
            return Err(ErrorCode::InvalidPartitions);
        }
        Ok(())
    }

    pub(crate) fn create(
        &mut self,
        name: &str,
        id: Uuid,
        partitions: usize,
        config: TopicConfig,
    ) -> Result<&Topic, ErrorCode> {
        self.check_new(name, partitions)?;
        self.partition_count += partitions;
        let name: Arc<str> = Arc::from(name);
        self.names_by_id.insert(id, name.clone());
        let topic = Topic {
            name: name.clone(),
            id,
            config,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
        };
        Ok(self.by_name.entry(name).or_insert(topic))
    }

    /// Gives a topic as many partitions in all.
    pub(crate) fn grow(&mut self, name: &str, total: usize) -> Result<(), ErrorCode> {
        let topic = self.by_name.get_mut(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let more = total.saturating_sub(topic.partitions.len());
        self.partition_count += more;
        let total = topic.partitions.len() + more;
        topic.partitions.resize_with(total, Partition::default);
        Ok(())
    }

    /// Whether a topic of as many partitions may grow so far.
    pub(crate) fn check_growth(&self, present: usize, total: usize) -> Result<(), ErrorCode> {
        if total <= present || self.partition_count + (total - present) > MAX_PARTITIONS {
            return Err(ErrorCode::InvalidPartitions);
        }
        Ok(())
    }

    /// Removes a topic; the caller wakes the fetches that waited in it.
    pub(crate) fn delete(&mut self, name: &str) -> Result<Topic, ErrorCode> {
        let topic = self.by_name.remove(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        self.names_by_id.remove(&topic.id);
        self.partition_count -= topic.partitions.len();
        Ok(topic)
    }

    /// Applies retention by time; retention by size is applied with every append.
    pub(crate) fn retain(&mut self, now: Now) {
        for topic in self.by_name.values_mut() {
            let retention = topic.config.retention;
            for partition in &mut topic.partitions {
                partition.log.retain(retention, now.wall_ms);
            }
        }
    }

    /// Forgets the producers whose newest batch is from before this time.
    pub(crate) fn expire_producers(&mut self, before_wall_ms: i64) {
        let partitions = self.by_name.values_mut().flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition| partition.producers.expire(before_wall_ms));
    }

    pub(crate) fn any_retention_by_time(&self) -> bool {
        self.by_name.values().any(|topic| topic.config.retention.ms.is_some())
    }
}

/// Kafka's rule for topic names.
pub(crate) fn check_name(name: &str) -> Result<(), ErrorCode> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let sound = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(legal);
    if sound { Ok(()) } else { Err(ErrorCode::InvalidTopicException) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rule() {
        for sound in ["orders", "a.b_c-9", "orders.dead-letter", &"x".repeat(249)] {
            assert_eq!(check_name(sound), Ok(()), "{sound}");
        }
        for unsound in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
            assert_eq!(check_name(unsound), Err(ErrorCode::InvalidTopicException), "{unsound}");
        }
    }

    #[test]
    fn partitions_are_bounded_over_all_topics() {
        let mut topics = Topics::default();
        let mut create = |name: &str, partitions| {
            let id = Uuid::from_u128(name.len() as u128);
            topics.create(name, id, partitions, TopicConfig::default()).map(|_| ())
        };
        assert_eq!(create("a", MAX_PARTITIONS), Ok(()));
        assert_eq!(create("a", 1), Err(ErrorCode::TopicAlreadyExists));
        assert_eq!(create("bb", 1), Err(ErrorCode::InvalidPartitions));
        assert!(topics.delete("a").is_ok());
        assert!(topics.create("bb", Uuid::from_u128(2), 1, TopicConfig::default()).is_ok());
        assert_eq!(topics.name_of(Uuid::from_u128(1)), None);
    }
}
