//! Changes of what outlives a request besides records: one function each, so that whoever keeps a
//! journal hooks in here and nowhere else. (Topics are created and deleted in `core.rs`.)

use crate::broker_config::Whose;
use crate::clock::Now;
use crate::config::Overrides;
use crate::core::Core;
use crate::error::ErrorCode;
use crate::group::offsets::CommittedOffset;
use crate::topic_config::TopicConfig;

impl Core {
    /// Gives a topic as many partitions in all.
    pub(crate) fn create_partitions(&mut self, topic: &str, total: usize) -> Result<(), ErrorCode> {
        self.topics.grow(topic, total)
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
        let found = self.topics.get_mut(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        found.config = TopicConfig::new(given, &self.config);
        self.plan_retention(now);
        Ok(())
    }

    /// Replaces dynamic settings of the broker; topics that do not say otherwise follow.
    pub(crate) fn set_broker_config(&mut self, whose: Whose, given: Overrides, now: Now) {
        self.config.set(whose, given);
        for topic in self.topics.iter_mut() {
            topic.config = TopicConfig::new(topic.config.given().clone(), &self.config);
        }
        self.groups.settings = (&self.config).into();
        self.plan_retention(now);
    }

    /// Keeps what a group has committed; whether it may was asked before.
    pub(crate) fn commit_offset(
        &mut self,
        group_id: &str,
        topic: &str,
        partition: i32,
        committed: CommittedOffset,
    ) -> Result<(), ErrorCode> {
        self.groups.commit(group_id, topic, partition, committed)
    }

    /// Forgets what a group has committed for a partition, if it has.
    pub(crate) fn delete_offset(&mut self, group_id: &str, topic: &str, partition: i32) {
        self.groups.delete_offset(group_id, topic, partition);
    }

    /// Forgets a group that has no members, with all it has committed.
    pub(crate) fn delete_group(&mut self, group_id: &str) -> Result<(), ErrorCode> {
        self.groups.delete(group_id)
    }

    /// Forgets offsets that nobody has used for too long, and groups that hold nothing.
    pub(crate) fn expire_offsets(&mut self, now: Now) {
        for (group_id, topic, partition) in self.groups.expired_offsets(now) {
            tracing::info!(group = group_id, topic, partition, "a committed offset expired");
            self.delete_offset(&group_id, &topic, partition);
        }
        for group_id in self.groups.unused_groups() {
            // It was unused a moment ago, so there is nobody to refuse.
            let _ = self.delete_group(&group_id);
        }
    }
}
