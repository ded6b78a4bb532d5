//! The group coordinator: which groups there are, and when each of them wants to be looked at.

pub(crate) mod answer;
mod expiry;
pub(crate) mod member;
pub(crate) mod membership;
pub(crate) mod offsets;
pub(crate) mod state;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::answer::GroupAnswer;
use self::answer::Joined;
pub(crate) use self::membership::{Caller, Join, Sync};
use self::offsets::CommittedOffset;
use self::state::{Answers, Group, State};
use crate::Token;
use crate::broker_config::BrokerConfig;
use crate::clock::Now;
use crate::error::ErrorCode;

/// Groups of one broker. At the limit, groups that hold nothing make room.
const MAX_GROUPS: usize = 10_000;
/// First version of OffsetCommit that knows GROUP_ID_NOT_FOUND.
const GROUP_NOT_FOUND_FROM: i16 = 9;

/// What groups are held to.
#[derive(Debug, Clone)]
pub(crate) struct GroupSettings {
    session_timeout_ms: std::ops::RangeInclusive<u64>,
    max_size: usize,
    initial_delay_ms: u64,
    offsets_retention_ms: i64,
    expiry_check_ms: u64,
    pub(crate) max_metadata_bytes: usize,
}

impl From<&BrokerConfig> for GroupSettings {
    fn from(config: &BrokerConfig) -> Self {
        let number = |name| config.number(name).unsigned_abs();
        let shortest_ms = number("group.min.session.timeout.ms");
        Self {
            session_timeout_ms: shortest_ms..=number("group.max.session.timeout.ms"),
            max_size: number("group.max.size") as usize,
            initial_delay_ms: number("group.initial.rebalance.delay.ms"),
            offsets_retention_ms: config.number("offsets.retention.minutes") * 60_000,
            expiry_check_ms: number("offsets.retention.check.interval.ms"),
            max_metadata_bytes: number("offset.metadata.max.bytes") as usize,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) settings: GroupSettings,
    groups: BTreeMap<String, Group>,
    due: BTreeSet<(u64, String)>,
    expiry_due_ms: Option<u64>,
    answers: Answers,
}

impl Coordinator {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            settings: config.into(),
            groups: BTreeMap::new(),
            due: BTreeSet::new(),
            expiry_due_ms: None,
            answers: Answers::new(),
        }
    }

    pub(crate) fn get(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    /// All groups, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(id, group)| (id.as_str(), group))
    }

    /// The answer is among [`Coordinator::take_answers`], now or later.
    pub(crate) fn join(&mut self, group_id: &str, join: Join, now: Now) {
        let admitted = self.admit(group_id, &join, now);
        if let Err(error) = admitted {
            let joined = Joined { member_id: join.member_id, generation: Err(error) };
            self.answers.push((join.token, GroupAnswer::Join(joined)));
            return;
        }
        let max_size = self.settings.max_size;
        self.change(group_id, now, |group, answers| {
            group.join(join, max_size, now.monotonic_ms, answers);
        });
    }

    /// Makes the group if its first member joins.
    fn admit(&mut self, group_id: &str, join: &Join, now: Now) -> Result<(), ErrorCode> {
        check_id(group_id)?;
        if !self.settings.session_timeout_ms.contains(&join.profile.session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if !self.groups.contains_key(group_id) {
            if !join.member_id.is_empty() {
                return Err(ErrorCode::UnknownMemberId);
            }
            self.create(group_id, now)?;
        }
        Ok(())
    }

    fn create(&mut self, group_id: &str, now: Now) -> Result<(), ErrorCode> {
        if self.groups.len() >= MAX_GROUPS {
            self.groups.retain(|_, group| {
                group.state != State::Empty
                    || !group.offsets.is_empty()
                    || group.next_deadline_ms().is_some()
            });
        }
        if self.groups.len() >= MAX_GROUPS {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        let initial_delay_ms = self.settings.initial_delay_ms;
        let group = Group { initial_delay_ms, ..Group::default() };
        self.groups.insert(group_id.to_owned(), group);
        self.plan_expiry(now);
        Ok(())
    }

    /// The answer is among [`Coordinator::take_answers`], now or later.
    pub(crate) fn sync(
        &mut self,
        group_id: &str,
        token: Token,
        caller: &Caller<'_>,
        sync: Sync,
        now: Now,
    ) {
        let known = self.groups.get(group_id).map(|_| ()).ok_or(ErrorCode::UnknownMemberId);
        if let Err(error) = check_id(group_id).and(known) {
            self.answers.push((token, GroupAnswer::Sync(Err(error))));
            return;
        }
        self.change(group_id, now, |group, answers| {
            group.sync(token, caller, sync, now.monotonic_ms, answers);
        });
    }

    pub(crate) fn heartbeat(
        &mut self,
        group_id: &str,
        caller: &Caller<'_>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        check_id(group_id)?;
        self.change(group_id, now, |group, _| group.heartbeat(caller, now.monotonic_ms))
            .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    pub(crate) fn leave(
        &mut self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        self.change(group_id, now, |group, answers| {
            group.leave(member_id, instance_id, now.monotonic_ms, answers)
        })
        .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    /// Checks whether the caller may commit, and makes the group for a caller that needs none: so
    /// tools and simple consumers commit (generation -1), to any group that has no members.
    pub(crate) fn may_commit(
        &mut self,
        group_id: &str,
        caller: &Caller<'_>,
        version: i16,
        now: Now,
    ) -> Result<(), ErrorCode> {
        if !self.groups.contains_key(group_id) {
            if caller.generation_id >= 0 {
                return Err(if version >= GROUP_NOT_FOUND_FROM {
                    ErrorCode::GroupIdNotFound
                } else {
                    ErrorCode::IllegalGeneration
                });
            }
            self.create(group_id, now)?;
        }
        self.change(group_id, now, |group, _| group.may_commit(caller, now.monotonic_ms))
            .unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
    }

    /// Keeps an offset, in a group of its own if it has none.
    pub(crate) fn commit(
        &mut self,
        group_id: &str,
        topic: &str,
        partition: i32,
        committed: CommittedOffset,
    ) -> Result<(), ErrorCode> {
        let group = self.groups.get_mut(group_id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        group.offsets.commit(topic, partition, committed);
        Ok(())
    }

    /// Whether offsets of this group may be deleted at all.
    pub(crate) fn may_delete_offsets(&self, group_id: &str) -> Result<&Group, ErrorCode> {
        check_id(group_id)?;
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        // Of a consumer group it is known which topics are still in use.
        if group.state == State::Empty || group.uses_consumer_protocol() {
            Ok(group)
        } else {
            Err(ErrorCode::NonEmptyGroup)
        }
    }

    pub(crate) fn delete_offset(&mut self, group_id: &str, topic: &str, partition: i32) {
        if let Some(group) = self.groups.get_mut(group_id) {
            group.offsets.remove(topic, partition);
        }
    }

    /// Forgets a group without members.
    pub(crate) fn delete(&mut self, group_id: &str) -> Result<(), ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if group.state != State::Empty {
            return Err(ErrorCode::NonEmptyGroup);
        }
        if let Some(due_ms) = group.next_deadline_ms() {
            self.due.remove(&(due_ms, group_id.to_owned()));
        }
        self.groups.remove(group_id);
        Ok(())
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.offsets.forget_topic(topic);
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Now) {
        while let Some((due_ms, group_id)) = self.due.first().cloned() {
            if due_ms > now.monotonic_ms {
                break;
            }
            let looked_at = self.change(&group_id, now, |group, answers| {
                group.advance(now.monotonic_ms, answers);
            });
            if looked_at.is_none() {
                self.due.remove(&(due_ms, group_id));
            }
        }
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    pub(crate) fn take_answers(&mut self) -> Answers {
        std::mem::take(&mut self.answers)
    }

    /// Changes a group and notes when it is due next. `None` if there is no such group.
    fn change<R>(
        &mut self,
        group_id: &str,
        now: Now,
        change: impl FnOnce(&mut Group, &mut Answers) -> R,
    ) -> Option<R> {
        let group = self.groups.get_mut(group_id)?;
        let due_before = group.next_deadline_ms();
        let state_before = group.state;
        let result = change(group, &mut self.answers);
        if group.state == State::Empty && state_before != State::Empty {
            group.empty_since_wall_ms = Some(now.wall_ms);
        }
        let due_after = group.next_deadline_ms();
        if due_before != due_after {
            if let Some(due_ms) = due_before {
                self.due.remove(&(due_ms, group_id.to_owned()));
            }
            if let Some(due_ms) = due_after {
                self.due.insert((due_ms, group_id.to_owned()));
            }
        }
        Some(result)
    }
}

fn check_id(group_id: &str) -> Result<(), ErrorCode> {
    if group_id.is_empty() { Err(ErrorCode::InvalidGroupId) } else { Ok(()) }
}
