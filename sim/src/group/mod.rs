//! The group coordinator: which groups there are, and when each of them wants to be looked at.

pub(crate) mod answer;
pub(crate) mod member;
pub(crate) mod membership;
pub(crate) mod offsets;
pub(crate) mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::answer::GroupAnswer;
use self::answer::Joined;
pub(crate) use self::membership::{Caller, Join, Sync};
use self::state::{Answers, Group, State};
use crate::Token;
use crate::clock::Now;
use crate::error::ErrorCode;

/// Groups of one broker. At the limit, groups that hold nothing make room.
const MAX_GROUPS: usize = 10_000;
/// Sessions shorter than Kafka's default minimum (6 s) keep tests short; below this a heartbeat
/// would come too late to matter.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 10..=30 * 60 * 1_000;

#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    groups: BTreeMap<String, Group>,
    due: BTreeSet<(u64, String)>,
    answers: Answers,
}

impl Coordinator {
    pub(crate) fn get(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    /// All groups, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(id, group)| (id.as_str(), group))
    }

    /// The answer is among [`Coordinator::take_answers`], now or later.
    pub(crate) fn join(&mut self, group_id: &str, join: Join, now: Now) {
        let admitted = self.admit(group_id, &join);
        if let Err(error) = admitted {
            let joined = Joined { member_id: join.member_id, generation: Err(error) };
            self.answers.push((join.token, GroupAnswer::Join(joined)));
            return;
        }
        self.change(group_id, |group, answers| group.join(join, now.monotonic_ms, answers));
    }

    /// Makes the group if its first member joins.
    fn admit(&mut self, group_id: &str, join: &Join) -> Result<(), ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if !SESSION_TIMEOUT_MS.contains(&join.profile.session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if !self.groups.contains_key(group_id) {
            if !join.member_id.is_empty() {
                return Err(ErrorCode::UnknownMemberId);
            }
            self.create(group_id)?;
        }
        Ok(())
    }

    fn create(&mut self, group_id: &str) -> Result<(), ErrorCode> {
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
        self.groups.insert(group_id.to_owned(), Group::default());
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
        if !self.groups.contains_key(group_id) {
            let refused = GroupAnswer::Sync(Err(ErrorCode::UnknownMemberId));
            self.answers.push((token, refused));
            return;
        }
        self.change(group_id, |group, answers| {
            group.sync(token, caller, sync, now.monotonic_ms, answers);
        });
    }

    pub(crate) fn heartbeat(
        &mut self,
        group_id: &str,
        caller: &Caller<'_>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        self.change(group_id, |group, _| group.heartbeat(caller, now.monotonic_ms))
            .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    pub(crate) fn leave(
        &mut self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        self.change(group_id, |group, answers| {
            group.leave(member_id, instance_id, now.monotonic_ms, answers)
        })
        .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    /// Checks whether the caller may commit and returns the group to commit to. Without members
    /// anybody may (generation -1): so tools and simple consumers commit.
    pub(crate) fn committer(
        &mut self,
        group_id: &str,
        caller: &Caller<'_>,
        now: Now,
    ) -> Result<&mut Group, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let simple = caller.generation_id < 0;
        if !self.groups.contains_key(group_id) {
            if !simple {
                return Err(ErrorCode::IllegalGeneration);
            }
            self.create(group_id)?;
        }
        self.change(group_id, |group, _| {
            if simple && group.members.is_empty() {
                return Ok(());
            }
            group.check_caller(caller)?;
            if let Some(member) = group.members.get_mut(caller.member_id) {
                member.sign_of_life(now.monotonic_ms);
            }
            match group.state {
                State::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
                _ => Ok(()),
            }
        })
        .unwrap_or(Err(ErrorCode::UnknownMemberId))?;
        self.groups.get_mut(group_id).ok_or(ErrorCode::UnknownMemberId)
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
            let looked_at = self.change(&group_id, |group, answers| {
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
        change: impl FnOnce(&mut Group, &mut Answers) -> R,
    ) -> Option<R> {
        let group = self.groups.get_mut(group_id)?;
        let due_before = group.next_deadline_ms();
        let result = change(group, &mut self.answers);
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
