//! When committed offsets and groups are forgotten.
//!
//! | group                                           | its offsets expire                            |
//! |-------------------------------------------------|-----------------------------------------------|
//! | never had members (a simple consumer's)         | `offsets.retention.minutes` after the commit  |
//! | has lost its last member                        | as long after that                            |
//! | stable, of consumers whose subscription is known | as long after the commit, of topics that none |
//! |                                                 | of them reads any more                        |
//! | any other                                       | never                                         |
//!
//! A commit that brought a retention time of its own (OffsetCommit 2 to 4) is held to that.

use super::Coordinator;
use super::offsets::CommittedOffset;
use super::state::{Group, State};
use crate::clock::Now;

impl Coordinator {
    pub(crate) fn expiry_due_ms(&self) -> Option<u64> {
        self.expiry_due_ms
    }

    /// Without groups there is nothing to forget, so an idle broker sleeps on.
    pub(super) fn plan_expiry(&mut self, now: Now) {
        if self.expiry_due_ms.is_none() && !self.groups.is_empty() {
            self.expiry_due_ms = Some(now.monotonic_ms + self.settings.expiry_check_ms);
        }
    }

    /// To be called when all that was found here is forgotten.
    pub(crate) fn expiry_done(&mut self, now: Now) {
        self.expiry_due_ms = None;
        self.plan_expiry(now);
    }

    /// Group, topic and partition of each offset whose time is up.
    pub(crate) fn expired_offsets(&self, now: Now) -> Vec<(String, String, i32)> {
        let mut expired = Vec::new();
        for (group_id, group) in &self.groups {
            let Some(rule) = Rule::of(group) else { continue };
            for (topic, partition, committed) in group.offsets.iter() {
                let unused = rule.unused_since_ms(topic, committed);
                let due = match committed.expires_wall_ms {
                    Some(expires_ms) => unused.is_some() && expires_ms <= now.wall_ms,
                    None => unused.is_some_and(|since_ms| {
                        now.wall_ms.saturating_sub(since_ms) >= self.settings.offsets_retention_ms
                    }),
                };
                if due {
                    expired.push((group_id.clone(), topic.to_owned(), partition));
                }
            }
        }
        expired
    }

    /// Groups with neither members nor offsets.
    pub(crate) fn unused_groups(&self) -> Vec<String> {
        let unused = self.groups.iter().filter(|(_, group)| {
            group.state == State::Empty && group.pending.is_empty() && group.offsets.is_empty()
        });
        unused.map(|(id, _)| id.clone()).collect()
    }
}

/// From when on the time of a group's offsets runs.
enum Rule {
    SinceCommit,
    /// Since the group became empty, in the milliseconds of the wall clock.
    Since(i64),
    /// Since the commit, but for the topics that are subscribed to.
    SinceCommitUnless(std::collections::BTreeSet<String>),
}

impl Rule {
    fn of(group: &Group) -> Option<Self> {
        if group.protocol_type.is_empty() {
            return Some(Self::SinceCommit);
        }
        match group.state {
            State::Empty => Some(group.empty_since_wall_ms.map_or(Self::SinceCommit, Self::Since)),
            State::Stable => group.subscribed_topics().map(Self::SinceCommitUnless),
            State::PreparingRebalance | State::CompletingRebalance => None,
        }
    }

    fn unused_since_ms(&self, topic: &str, committed: &CommittedOffset) -> Option<i64> {
        match self {
            Self::SinceCommit => Some(committed.committed_wall_ms),
            Self::Since(since_ms) => Some(*since_ms),
            Self::SinceCommitUnless(topics) => {
                (!topics.contains(topic)).then_some(committed.committed_wall_ms)
            }
        }
    }
}
