//! Changes of what outlives a request besides records: one function each. Each is recorded before it
//! is made, and not made if it cannot be recorded. (Topics are created and deleted in `core.rs`.)

use crate::broker_config::Whose;
use crate::clock::Now;
use crate::config::Overrides;
use crate::core::Core;
use crate::durability::kept;
use crate::error::ErrorCode;
use crate::group::offsets::CommittedOffset;
use crate::metadata::Entry;
use crate::topic_config::TopicConfig;

impl Core {
    /// Gives a topic as many partitions in all.
    pub(crate) fn create_partitions(&mut self, topic: &str, total: usize) -> Result<(), ErrorCode> {
        let found = self.topics.get(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let (id, present, config) = (found.id, found.partitions.len(), found.config.clone());
        self.record(|| {
            vec![Entry::PartitionsAdded { topic: topic.to_owned(), partitions: total }]
        })?;
        let more = (present..total).map(|index| self.new_log((topic, id), index, &config));
        let more = more.collect();
        self.topics.grow(topic, more)
    }

    /// Moves the start of a log to `offset` and returns where it is then: it never moves back.
    /// Whoever waits there for what is gone is told so at once.
    ///
    /// # Errors
    /// An offset that the log has not reached.
    pub(crate) fn delete_records(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<i64, ErrorCode> {
        let found = self.topics.partition_mut(topic, partition)?;
        if !(0..=found.log.high_watermark()).contains(&offset) {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let topic_name = topic.to_owned();
        self.record(|| vec![Entry::LogStartMoved { topic: topic_name, partition, offset }])?;
        let found = self.topics.partition_mut(topic, partition)?;
        found.log.drop_before(offset);
        let start = found.log.log_start_offset();
        let readers = found.waiting.clone();
        self.wake_readers_before(topic, partition, start, &readers);
        Ok(start)
    }

    /// Replaces the values given for a topic.
    pub(crate) fn set_topic_config(
        &mut self,
        topic: &str,
        given: Overrides,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let found = self.topics.get(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        // A log start that retention has moved follows from the settings, which now change.
        let moved = (0..).zip(&found.partitions).map(|(partition, kept)| Entry::LogStartMoved {
            topic: topic.to_owned(),
            partition,
            offset: kept.log.log_start_offset(),
        });
        let configured = Entry::TopicConfigured { topic: topic.to_owned(), config: kept(&given) };
        let entries = moved.chain([configured]).collect();
        self.record(|| entries)?;
        let config = TopicConfig::new(given, &self.config);
        let found = self.topics.get_mut(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        found.set_config(config);
        self.plan_retention(now);
        Ok(())
    }

    /// Replaces dynamic settings of the broker; topics that do not say otherwise follow.
    pub(crate) fn set_broker_config(
        &mut self,
        whose: Whose,
        given: Overrides,
        now: Now,
    ) -> Result<(), ErrorCode> {
        self.record(|| vec![Entry::BrokerConfigured { whose, config: kept(&given) }])?;
        self.config.set(whose, given);
        for topic in self.topics.iter_mut() {
            topic.set_config(TopicConfig::new(topic.config.given().clone(), &self.config));
        }
        self.groups.settings = (&self.config).into();
        self.plan_retention(now);
        Ok(())
    }

    /// Keeps what a group has committed, all or none; whether it may was asked before.
    ///
    /// # Errors
    /// NOT_COORDINATOR, Kafka's word for a group whose offsets cannot be stored: clients look for its
    /// coordinator again, and commit again.
    pub(crate) fn commit_offsets(
        &mut self,
        group: &str,
        offsets: Vec<(String, i32, CommittedOffset)>,
    ) -> Result<(), ErrorCode> {
        if offsets.is_empty() {
            return Ok(());
        }
        let recorded = self.record(|| {
            let entry = |(topic, partition, committed): &(String, i32, CommittedOffset)| {
                let (group, topic) = (group.to_owned(), topic.clone());
                let committed = committed.clone();
                Entry::OffsetCommitted { group, topic, partition: *partition, committed }
            };
            offsets.iter().map(entry).collect()
        });
        recorded.map_err(|_| ErrorCode::NotCoordinator)?;
        for (topic, partition, committed) in offsets {
            self.groups.commit(group, &topic, partition, committed)?;
        }
        Ok(())
    }

    /// Forgets what a group has committed for a partition, if it has.
    pub(crate) fn delete_offset(
        &mut self,
        group_id: &str,
        topic: &str,
        partition: i32,
    ) -> Result<(), ErrorCode> {
        let recorded = self.record(|| {
            let (group, topic) = (group_id.to_owned(), topic.to_owned());
            vec![Entry::OffsetDeleted { group, topic, partition }]
        });
        recorded.map_err(|_| ErrorCode::NotCoordinator)?;
        self.groups.delete_offset(group_id, topic, partition);
        Ok(())
    }

    /// Forgets a group that has no members, with all it has committed.
    pub(crate) fn delete_group(&mut self, group_id: &str) -> Result<(), ErrorCode> {
        self.groups.may_delete(group_id)?;
        let recorded = self.record(|| vec![Entry::GroupDeleted(group_id.to_owned())]);
        recorded.map_err(|_| ErrorCode::NotCoordinator)?;
        self.groups.delete(group_id)
    }

    /// Forgets offsets that nobody has used for too long, and groups that hold nothing.
    pub(crate) fn expire_offsets(&mut self, now: Now) {
        for (group_id, topic, partition) in self.groups.expired_offsets(now) {
            tracing::info!(group = group_id, topic, partition, "a committed offset expired");
            // What cannot be recorded now expires with the next check.
            let _ = self.delete_offset(&group_id, &topic, partition);
        }
        for group_id in self.groups.unused_groups() {
            // It holds nothing that was recorded, and was unused a moment ago.
            let _ = self.groups.delete(&group_id);
        }
    }
}
