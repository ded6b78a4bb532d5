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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker_config::BrokerConfig;
    use crate::core::Settings;
    use crate::group::Caller;
    use crate::log::batch::BatchHeader;
    use crate::log::batch::tests::batch_from;

    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    const GROUP: &str = "tool";

    fn at(ms: u64) -> Now {
        Now { monotonic_ms: ms, wall_ms: 1_000_000 + ms as i64 }
    }

    fn core() -> Core {
        let mut core = Core::new(&Settings { config: BrokerConfig::default(), seed: 7 });
        core.create_topic("orders", 1, Overrides::new(), at(0)).unwrap();
        core
    }

    fn commit(core: &mut Core, now: Now) {
        let simple = Caller { member_id: "", instance_id: None, generation_id: -1 };
        core.groups.may_commit(GROUP, &simple, 8, now).unwrap();
        let committed = CommittedOffset {
            offset: 3,
            leader_epoch: 0,
            metadata: String::new(),
            committed_wall_ms: now.wall_ms,
            expires_wall_ms: None,
        };
        core.commit_offset(GROUP, "orders", 0, committed).unwrap();
    }

    /// Does what is due until then, each thing at its time.
    fn pass_until(core: &mut Core, end_ms: u64) {
        while let Some(due_ms) = core.next_deadline_ms().filter(|due_ms| *due_ms <= end_ms) {
            core.advance(at(due_ms));
        }
    }

    #[test]
    fn an_unused_group_is_forgotten_by_itself() {
        let mut core = core();
        commit(&mut core, at(0));
        pass_until(&mut core, 6 * DAY_MS);
        assert!(core.groups.get(GROUP).is_some());
        commit(&mut core, at(6 * DAY_MS));
        pass_until(&mut core, 12 * DAY_MS);
        assert!(core.groups.get(GROUP).is_some(), "a new commit begins a new week");
        pass_until(&mut core, 14 * DAY_MS);
        assert!(core.groups.get(GROUP).is_none());
    }

    #[test]
    fn a_silent_producer_is_forgotten_by_itself() {
        let mut core = core();
        let now = at(0);
        let batch = batch_from(&[now.wall_ms], 10, 7, 0, 0);
        let header = BatchHeader::check(&batch).unwrap();
        let partition = core.topics.partition_mut("orders", 0).unwrap();
        let base_offset = partition.log.append(&header, &batch);
        partition.producers.appended(&header, base_offset);
        let known =
            |core: &Core| core.topics.partition("orders", 0).unwrap().producers.iter().count();
        pass_until(&mut core, DAY_MS - 1);
        assert_eq!(known(&core), 1);
        pass_until(&mut core, 2 * DAY_MS);
        assert_eq!(known(&core), 0);
    }

    #[test]
    fn topics_follow_a_change_of_the_broker_unless_they_say_otherwise() {
        let mut core = core();
        let own = Overrides::from([("retention.ms", "5".to_owned())]);
        core.create_topic("own", 1, own, at(0)).unwrap();
        assert_eq!(core.topics.get("orders").unwrap().config.retention.ms, None);
        let given = Overrides::from([("log.retention.ms", "9".to_owned())]);
        core.set_broker_config(Whose::AllBrokers, given, at(0));
        assert_eq!(core.topics.get("orders").unwrap().config.retention.ms, Some(9));
        assert_eq!(core.topics.get("own").unwrap().config.retention.ms, Some(5));
        core.set_topic_config("own", Overrides::new(), at(0)).unwrap();
        assert_eq!(core.topics.get("own").unwrap().config.retention.ms, Some(9));
    }
}
