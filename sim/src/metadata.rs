//! Everything durable but the batches: as entries, one for each change, and as the state that the
//! entries add up to. The journal stores the entries; at start their sum becomes the core's state.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::broker_config::Whose;
use crate::group::offsets::CommittedOffset;

/// Settings by name, as they were given.
pub(crate) type Config = BTreeMap<String, String>;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    ClusterId(String),
    /// How often a broker has started here: no two of them draw the same ids.
    Starts(u64),
    /// Producer ids below this one may have been given out.
    ProducerIdsTaken(i64),
    TopicCreated {
        name: String,
        id: Uuid,
        partitions: usize,
        config: Config,
    },
    /// What groups have committed for the topic goes with it.
    TopicDeleted(String),
    /// The number of all its partitions from now on.
    PartitionsAdded {
        topic: String,
        partitions: usize,
    },
    /// All settings that the topic has from now on.
    TopicConfigured {
        topic: String,
        config: Config,
    },
    /// All dynamic settings of the broker, or of all brokers, from now on.
    BrokerConfigured {
        whose: Whose,
        config: Config,
    },
    LogStartMoved {
        topic: String,
        partition: i32,
        offset: i64,
    },
    OffsetCommitted {
        group: String,
        topic: String,
        partition: i32,
        committed: CommittedOffset,
    },
    OffsetDeleted {
        group: String,
        topic: String,
        partition: i32,
    },
    /// The group's committed offsets go with it.
    GroupDeleted(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicMetadata {
    pub(crate) id: Uuid,
    pub(crate) partitions: usize,
    pub(crate) config: Config,
    /// Log start offsets that clients have moved.
    pub(crate) log_starts: BTreeMap<i32, i64>,
}

/// Committed offsets of one group by topic and partition.
pub(crate) type Committed = BTreeMap<(String, i32), CommittedOffset>;

/// The sum of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) cluster_id: Option<String>,
    pub(crate) starts: u64,
    pub(crate) producer_ids_taken: Option<i64>,
    pub(crate) broker: BTreeMap<Whose, Config>,
    pub(crate) topics: BTreeMap<String, TopicMetadata>,
    pub(crate) groups: BTreeMap<String, Committed>,
}

impl Metadata {
    /// An entry about something that is not there (any more) changes nothing.
    pub(crate) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::ClusterId(id) => self.cluster_id = Some(id),
            Entry::Starts(starts) => self.starts = starts,
            Entry::ProducerIdsTaken(taken) => self.producer_ids_taken = Some(taken),
            Entry::TopicCreated { name, id, partitions, config } => {
                let log_starts = BTreeMap::new();
                self.topics.insert(name, TopicMetadata { id, partitions, config, log_starts });
            }
            Entry::TopicDeleted(name) => {
                self.topics.remove(&name);
                self.groups.retain(|_, committed| {
                    committed.retain(|(topic, _), _| *topic != name);
                    !committed.is_empty()
                });
            }
            Entry::PartitionsAdded { topic, partitions } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.partitions = partitions;
                }
            }
            Entry::TopicConfigured { topic, config } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.config = config;
                }
            }
            Entry::BrokerConfigured { whose, config } => {
                self.broker.insert(whose, config);
            }
            Entry::LogStartMoved { topic, partition, offset } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    // It never moves back, whatever a client asks for.
                    let start = topic.log_starts.entry(partition).or_insert(offset);
                    *start = offset.max(*start);
                }
            }
            Entry::OffsetCommitted { group, topic, partition, committed } => {
                self.groups.entry(group).or_default().insert((topic, partition), committed);
            }
            Entry::OffsetDeleted { group, topic, partition } => {
                if let Some(committed) = self.groups.get_mut(&group) {
                    committed.remove(&(topic, partition));
                    if committed.is_empty() {
                        self.groups.remove(&group);
                    }
                }
            }
            Entry::GroupDeleted(group) => {
                self.groups.remove(&group);
            }
        }
    }

    /// The fewest entries that add up to this.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        let mut entries = Vec::new();
        entries.extend(self.cluster_id.map(Entry::ClusterId));
        entries.push(Entry::Starts(self.starts));
        entries.extend(self.producer_ids_taken.map(Entry::ProducerIdsTaken));
        let broker = self.broker.into_iter();
        entries.extend(broker.map(|(whose, config)| Entry::BrokerConfigured { whose, config }));
        for (name, topic) in self.topics {
            let TopicMetadata { id, partitions, config, log_starts } = topic;
            entries.push(Entry::TopicCreated { name: name.clone(), id, partitions, config });
            entries.extend(log_starts.into_iter().map(|(partition, offset)| {
                Entry::LogStartMoved { topic: name.clone(), partition, offset }
            }));
        }
        for (group, committed) in self.groups {
            entries.extend(committed.into_iter().map(|((topic, partition), committed)| {
                Entry::OffsetCommitted { group: group.clone(), topic, partition, committed }
            }));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: "note".to_owned(),
            committed_wall_ms: 5,
            expires_wall_ms: None,
        }
    }

    fn some_of_everything() -> Vec<Entry> {
        let topic = |name: &str| Entry::TopicCreated {
            name: name.to_owned(),
            id: Uuid::from_u128(name.len() as u128),
            partitions: 3,
            config: Config::from([("retention.ms".to_owned(), "5".to_owned())]),
        };
        let commit = |group: &str, topic: &str| Entry::OffsetCommitted {
            group: group.to_owned(),
            topic: topic.to_owned(),
            partition: 1,
            committed: committed(7),
        };
        vec![
            Entry::ClusterId("cluster".to_owned()),
            Entry::Starts(3),
            Entry::ProducerIdsTaken(1_000),
            topic("a"),
            topic("bb"),
            commit("readers", "a"),
            commit("readers", "bb"),
            commit("others", "bb"),
            Entry::PartitionsAdded { topic: "a".to_owned(), partitions: 5 },
            Entry::TopicConfigured { topic: "a".to_owned(), config: Config::new() },
            Entry::LogStartMoved { topic: "a".to_owned(), partition: 0, offset: 9 },
            Entry::BrokerConfigured { whose: Whose::AllBrokers, config: Config::new() },
        ]
    }

    fn sum(entries: Vec<Entry>) -> Metadata {
        let mut metadata = Metadata::default();
        entries.into_iter().for_each(|entry| metadata.apply(entry));
        metadata
    }

    #[test]
    fn the_fewest_entries_add_up_to_the_same() {
        let metadata = sum(some_of_everything());
        assert_eq!(metadata.topics["a"].partitions, 5);
        let fewest = metadata.clone().into_entries();
        assert_eq!(fewest.len(), some_of_everything().len() - 2);
        assert_eq!(sum(fewest), metadata);
    }

    #[test]
    fn what_is_deleted_takes_its_offsets_along() {
        let mut metadata = sum(some_of_everything());
        metadata.apply(Entry::TopicDeleted("bb".to_owned()));
        assert_eq!(metadata.groups.keys().collect::<Vec<_>>(), ["readers"]);
        let (group, topic) = ("readers".to_owned(), "a".to_owned());
        metadata.apply(Entry::OffsetDeleted { group, topic, partition: 1 });
        assert!(metadata.groups.is_empty());
        metadata.apply(Entry::PartitionsAdded { topic: "bb".to_owned(), partitions: 9 });
        assert!(!metadata.topics.contains_key("bb"));
    }
}
