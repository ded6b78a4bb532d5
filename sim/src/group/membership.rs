//! Joining, synchronising, heartbeats and leaving: what members ask of their group.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::answer::{Generation, GroupAnswer, Joined, Synced};
use super::member::{Member, Profile};
use super::state::{Answers, Group, State};
use crate::Token;
use crate::error::ErrorCode;

/// First version of JoinGroup whose clients know what to do with MEMBER_ID_REQUIRED.
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// First version of JoinGroup that can tell a returning leader to skip the assignment.
const SKIP_ASSIGNMENT_FROM: i16 = 9;

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) token: Token,
    pub(crate) version: i16,
    /// Empty for a member that is new.
    pub(crate) member_id: String,
    /// The id that a new member gets.
    pub(crate) new_member_id: String,
    pub(crate) profile: Profile,
}

/// Who asks, as every request of a member says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) generation_id: i32,
}

/// What a SyncGroup request carries beside its caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sync {
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    /// From the leader: assignment by member id.
    pub(crate) assignments: BTreeMap<String, Bytes>,
}

impl Group {
    /// Every join is answered through `answers`, now or later.
    pub(crate) fn join(&mut self, join: Join, max_size: usize, now_ms: u64, answers: &mut Answers) {
        if let Err((member_id, error)) = self.try_join(&join, max_size, now_ms, answers) {
            let joined = Joined { member_id, generation: Err(error) };
            answers.push((join.token, GroupAnswer::Join(joined)));
        }
    }

    fn try_join(
        &mut self,
        join: &Join,
        max_size: usize,
        now_ms: u64,
        answers: &mut Answers,
    ) -> Result<(), (String, ErrorCode)> {
        let refuse = |error| Err((join.member_id.clone(), error));
        if !self.accepts(&join.profile) {
            return refuse(ErrorCode::InconsistentGroupProtocol);
        }
        let instance_id = join.profile.instance_id.as_deref();
        let registered = instance_id.and_then(|id| self.static_members.get(id)).cloned();
        if join.member_id.is_empty() {
            if let Some(old_id) = registered {
                self.replace_static(&old_id, join, now_ms, answers);
                return Ok(());
            }
            if self.members.len() + self.pending.len() >= max_size {
                return refuse(ErrorCode::GroupMaxSizeReached);
            }
            let new_id = join.new_member_id.clone();
            if instance_id.is_none() && join.version >= MEMBER_ID_REQUIRED_FROM {
                self.pending.insert(new_id.clone(), now_ms + join.profile.session_timeout_ms);
                return Err((new_id, ErrorCode::MemberIdRequired));
            }
            self.add(new_id, join, now_ms, answers);
            return Ok(());
        }
        match (instance_id, registered) {
            (Some(_), None) => return refuse(ErrorCode::UnknownMemberId),
            (Some(_), Some(id)) if id != join.member_id => {
                return refuse(ErrorCode::FencedInstanceId);
            }
            _ => {}
        }
        if self.pending.remove(&join.member_id).is_some() {
            self.add(join.member_id.clone(), join, now_ms, answers);
            return Ok(());
        }
        if !self.members.contains_key(&join.member_id) {
            return refuse(ErrorCode::UnknownMemberId);
        }
        self.rejoin(join, now_ms, answers);
        Ok(())
    }

    /// Whether a member with these protocols fits in with the others.
    fn accepts(&self, profile: &Profile) -> bool {
        if self.members.is_empty() {
            return !profile.protocol_type.is_empty() && !profile.protocols.is_empty();
        }
        let shared = |(name, _): &(String, Bytes)| self.members.values().all(|m| m.supports(name));
        profile.protocol_type == self.protocol_type && profile.protocols.iter().any(shared)
    }

    fn add(&mut self, id: String, join: &Join, now_ms: u64, answers: &mut Answers) {
        if self.members.is_empty() {
            self.protocol_type.clone_from(&join.profile.protocol_type);
            self.leader.clone_from(&id);
        }
        if let Some(instance_id) = &join.profile.instance_id {
            self.static_members.insert(instance_id.clone(), id.clone());
        }
        let mut member = Member::new(join.profile.clone(), now_ms);
        member.joining = Some(join.token);
        self.members.insert(id, member);
        if let Some(gathering) = &mut self.gathering {
            gathering.grown = true;
        }
        self.rebalance(now_ms, answers);
    }

    /// A member that the group knows joins once more.
    fn rejoin(&mut self, join: &Join, now_ms: u64, answers: &mut Answers) {
        let leads = self.leader == join.member_id;
        let Some(member) = self.members.get_mut(&join.member_id) else { return };
        let changed = member.profile.protocols != join.profile.protocols;
        let nothing_new = match self.state {
            State::Stable => !leads && !changed,
            State::CompletingRebalance => !changed,
            State::Empty | State::PreparingRebalance => false,
        };
        member.sign_of_life(now_ms);
        if nothing_new {
            let generation = Ok(self.generation_for(&join.member_id));
            let joined = Joined { member_id: join.member_id.clone(), generation };
            answers.push((join.token, GroupAnswer::Join(joined)));
            return;
        }
        member.profile = join.profile.clone();
        if let Some(earlier) = member.joining.replace(join.token) {
            let generation = Err(ErrorCode::RebalanceInProgress);
            let joined = Joined { member_id: join.member_id.clone(), generation };
            answers.push((earlier, GroupAnswer::Join(joined)));
        }
        self.rebalance(now_ms, answers);
    }

    /// A static member came back: it takes its place at once and whoever still uses the old
    /// member id is fenced. Unless its protocols change the choice of the group, a stable group
    /// does not even notice.
    fn replace_static(&mut self, old_id: &str, join: &Join, now_ms: u64, answers: &mut Answers) {
        let new_id = join.new_member_id.clone();
        let Some(old) = self.members.remove(old_id) else { return };
        self.turn_away(old_id, &old, ErrorCode::FencedInstanceId, answers);
        let mut member = Member::new(join.profile.clone(), now_ms);
        member.assignment = old.assignment;
        member.synced = old.synced;
        self.members.insert(new_id.clone(), member);
        if let Some(instance_id) = &join.profile.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        let old_leader = self.leader.clone();
        if self.leader == old_id {
            self.leader.clone_from(&new_id);
        }
        if self.state == State::Stable && self.select_protocol() == self.protocol_name {
            let generation = Ok(self.generation_after_restart(&new_id, &old_leader, join.version));
            let joined = Joined { member_id: new_id, generation };
            answers.push((join.token, GroupAnswer::Join(joined)));
            return;
        }
        if let Some(member) = self.members.get_mut(&new_id) {
            member.joining = Some(join.token);
        }
        self.rebalance(now_ms, answers);
    }

    /// A returning leader must not assign anew. Newer clients are told so; to older ones the
    /// leader is somebody else, namely their own past self.
    fn generation_after_restart(&self, id: &str, old_leader: &str, version: i16) -> Generation {
        let mut generation = self.generation_for(id);
        if version >= SKIP_ASSIGNMENT_FROM {
            generation.skip_assignment = self.leader == id;
        } else {
            generation.leader = old_leader.to_owned();
            generation.members.clear();
        }
        generation
    }

    fn rebalance(&mut self, now_ms: u64, answers: &mut Answers) {
        if self.state == State::PreparingRebalance {
            self.complete_join_if_all_are_here(now_ms, answers);
        } else {
            self.prepare_rebalance(now_ms, answers);
        }
    }

    /// Checks that the caller is who it says and of the present generation.
    pub(crate) fn check_caller(&self, caller: &Caller<'_>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = caller.instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(id) if id != caller.member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(caller.member_id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        if caller.generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        Ok(())
    }

    /// Every sync is answered through `answers`, now or later.
    pub(crate) fn sync(
        &mut self,
        token: Token,
        caller: &Caller<'_>,
        sync: Sync,
        now_ms: u64,
        answers: &mut Answers,
    ) {
        if let Err(error) = self.try_sync(token, caller, sync, now_ms, answers) {
            answers.push((token, GroupAnswer::Sync(Err(error))));
        }
    }

    fn try_sync(
        &mut self,
        token: Token,
        caller: &Caller<'_>,
        mut sync: Sync,
        now_ms: u64,
        answers: &mut Answers,
    ) -> Result<(), ErrorCode> {
        self.check_caller(caller)?;
        let differs = |said: &Option<String>, is: &String| said.as_ref().is_some_and(|s| s != is);
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.state == State::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        let leads = self.leader == caller.member_id;
        let member = self.members.get_mut(caller.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        member.synced = true;
        member.sign_of_life(now_ms);
        if let Some(earlier) = member.syncing.replace(token) {
            let refused = GroupAnswer::Sync(Err(ErrorCode::RebalanceInProgress));
            answers.push((earlier, refused));
        }
        if self.state == State::CompletingRebalance && leads {
            for (id, member) in &mut self.members {
                member.assignment = sync.assignments.remove(id).unwrap_or_default();
            }
            self.state = State::Stable;
        }
        if self.state == State::Stable {
            self.hand_out_assignments(now_ms, answers);
        }
        Ok(())
    }

    fn hand_out_assignments(&mut self, now_ms: u64, answers: &mut Answers) {
        for member in self.members.values_mut() {
            if let Some(token) = member.syncing.take() {
                member.sign_of_life(now_ms);
                let synced = Synced {
                    protocol_type: self.protocol_type.clone(),
                    protocol_name: self.protocol_name.clone(),
                    assignment: member.assignment.clone(),
                };
                answers.push((token, GroupAnswer::Sync(Ok(synced))));
            }
        }
        if self.members.values().all(|member| member.synced) {
            self.phase_ends_ms = None;
        }
    }

    pub(crate) fn heartbeat(&mut self, caller: &Caller<'_>, now_ms: u64) -> Result<(), ErrorCode> {
        self.check_caller(caller)?;
        if let Some(member) = self.members.get_mut(caller.member_id) {
            member.sign_of_life(now_ms);
        }
        match self.state {
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A commit by a member of the present generation, or by anybody while there are no members.
    pub(super) fn may_commit(&mut self, caller: &Caller<'_>, now_ms: u64) -> Result<(), ErrorCode> {
        if caller.generation_id < 0 && self.state == State::Empty {
            return Ok(());
        }
        self.check_caller(caller)?;
        if let Some(member) = self.members.get_mut(caller.member_id) {
            member.sign_of_life(now_ms);
        }
        match self.state {
            State::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A member leaves, named by its member id, its instance id, or both.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now_ms: u64,
        answers: &mut Answers,
    ) -> Result<(), ErrorCode> {
        let mut id = member_id.to_owned();
        if let Some(instance_id) = instance_id {
            let registered =
                self.static_members.get(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
            if !member_id.is_empty() && registered != member_id {
                return Err(ErrorCode::FencedInstanceId);
            }
            id.clone_from(registered);
        } else if self.pending.remove(member_id).is_some() {
            self.complete_join_if_all_are_here(now_ms, answers);
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.remove(&[id], now_ms, answers);
        Ok(())
    }
}
