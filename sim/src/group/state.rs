//! One group of the classic protocol, as a pure state machine: requests and time go in, answers
//! come out.
//!
//! | state               | event                                               | next                |
//! |---------------------|-----------------------------------------------------|---------------------|
//! | Empty               | a member joins                                      | PreparingRebalance  |
//! | PreparingRebalance  | everyone has joined, or the rebalance timeout is up | CompletingRebalance |
//! | PreparingRebalance  | the same, and no member is left                     | Empty               |
//! | CompletingRebalance | the leader sends the assignment                     | Stable              |
//! | CompletingRebalance | a member joins anew, leaves or expires              | PreparingRebalance  |
//! | Stable              | a member joins anew, leaves or expires              | PreparingRebalance  |
//! | Stable              | a static member comes back under a new member id    | Stable              |
//!
//! With `group.initial.rebalance.delay.ms` a group that was empty waits for more members before its
//! first generation, and as long again for each time that somebody came. The default here is 0: the
//! first member makes a group of one at once.

use std::collections::BTreeMap;

use super::answer::{Generation, GroupAnswer, Joined, MemberMetadata};
use super::member::Member;
use super::offsets::Offsets;
use crate::Token;
use crate::error::ErrorCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    /// Kafka's name of the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

pub(crate) type Answers = Vec<(Token, GroupAnswer)>;

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) state: State,
    pub(crate) generation_id: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol_name: String,
    pub(super) leader: String,
    pub(crate) members: BTreeMap<String, Member>,
    /// Member id by group.instance.id.
    pub(super) static_members: BTreeMap<String, String>,
    /// Member ids that were handed out and have not joined yet, with the time they have for it.
    pub(super) pending: BTreeMap<String, u64>,
    /// While preparing: the end of joining. After: the end of asking for assignments.
    pub(super) phase_ends_ms: Option<u64>,
    pub(super) initial_delay_ms: u64,
    /// While a group that was empty waits for more members.
    pub(super) gathering: Option<Gathering>,
    pub(crate) offsets: Offsets,
    /// When the last member was gone, in the milliseconds of the wall clock.
    pub(super) empty_since_wall_ms: Option<i64>,
}

/// The wait of a group that was empty.
#[derive(Debug)]
pub(super) struct Gathering {
    /// Somebody came since the wait began, or began again.
    pub(super) grown: bool,
    /// How much longer than so far it may take.
    left_ms: u64,
}

impl Group {
    /// When something happens by itself.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        let sessions = self.members.values().filter_map(Member::session_deadline_ms);
        sessions.chain(self.pending.values().copied()).chain(self.phase_ends_ms).min()
    }

    /// Ends sessions and phases whose time is up.
    pub(super) fn advance(&mut self, now_ms: u64, answers: &mut Answers) {
        self.pending.retain(|_, expires_ms| *expires_ms > now_ms);
        let expired: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.session_deadline_ms().is_some_and(|at| at <= now_ms))
            .map(|(id, _)| id.clone())
            .collect();
        self.remove(&expired, now_ms, answers);
        if self.phase_ends_ms.is_some_and(|ends_ms| ends_ms <= now_ms) {
            self.phase_ends_ms = None;
            if self.state == State::PreparingRebalance {
                if !self.gather_on(now_ms) {
                    self.complete_join(now_ms, answers);
                }
            } else {
                let silent = self.members.iter().filter(|(_, member)| !member.synced);
                let silent: Vec<String> = silent.map(|(id, _)| id.clone()).collect();
                self.remove(&silent, now_ms, answers);
            }
        }
        // A pending member that expired may have been the last one the others waited for.
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    /// Removes members and rebalances those that stay.
    pub(super) fn remove(&mut self, ids: &[String], now_ms: u64, answers: &mut Answers) {
        let mut removed_any = false;
        for id in ids {
            let Some(member) = self.members.remove(id) else { continue };
            removed_any = true;
            if let Some(instance_id) = &member.profile.instance_id {
                self.static_members.remove(instance_id);
            }
            self.turn_away(id, &member, ErrorCode::UnknownMemberId, answers);
            if self.leader == *id {
                self.leader = self.members.keys().next().cloned().unwrap_or_default();
            }
        }
        match self.state {
            State::Stable | State::CompletingRebalance if removed_any => {
                self.prepare_rebalance(now_ms, answers);
            }
            State::PreparingRebalance => self.complete_join_if_all_are_here(now_ms, answers),
            _ => {}
        }
    }

    /// Answers whatever request of this member waits here.
    pub(super) fn turn_away(
        &self,
        member_id: &str,
        member: &Member,
        error: ErrorCode,
        answers: &mut Answers,
    ) {
        if let Some(token) = member.joining {
            let joined = Joined { member_id: member_id.to_owned(), generation: Err(error) };
            answers.push((token, GroupAnswer::Join(joined)));
        }
        if let Some(token) = member.syncing {
            answers.push((token, GroupAnswer::Sync(Err(error))));
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now_ms: u64, answers: &mut Answers) {
        for member in self.members.values_mut() {
            if let Some(token) = member.syncing.take() {
                let refused = GroupAnswer::Sync(Err(ErrorCode::RebalanceInProgress));
                answers.push((token, refused));
                member.sign_of_life(now_ms);
            }
        }
        let timeout_ms = self.rebalance_timeout_ms();
        let delay_ms = self.initial_delay_ms.min(timeout_ms);
        if self.state == State::Empty && delay_ms > 0 {
            self.gathering = Some(Gathering { grown: false, left_ms: timeout_ms - delay_ms });
            self.phase_ends_ms = Some(now_ms + delay_ms);
        } else {
            self.phase_ends_ms = Some(now_ms + timeout_ms);
        }
        self.state = State::PreparingRebalance;
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    /// Lets the wait for more members go on if somebody came and there is time; else it is over.
    fn gather_on(&mut self, now_ms: u64) -> bool {
        let Some(gathering) = &mut self.gathering else { return false };
        let more_ms = self.initial_delay_ms.min(gathering.left_ms);
        if !gathering.grown || more_ms == 0 || self.members.is_empty() {
            self.gathering = None;
            return false;
        }
        gathering.grown = false;
        gathering.left_ms -= more_ms;
        self.phase_ends_ms = Some(now_ms + more_ms);
        true
    }

    pub(super) fn complete_join_if_all_are_here(&mut self, now_ms: u64, answers: &mut Answers) {
        let nobody_left = self.members.is_empty();
        let all_are_here = (self.gathering.is_none() || nobody_left)
            && self.pending.is_empty()
            && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::PreparingRebalance && all_are_here {
            self.complete_join(now_ms, answers);
        }
    }

    /// Starts the next generation with the members that have joined and the static ones that
    /// have not, who keep their place until their session ends.
    fn complete_join(&mut self, now_ms: u64, answers: &mut Answers) {
        self.gathering = None;
        self.members
            .retain(|_, member| member.joining.is_some() || member.profile.instance_id.is_some());
        if self.members.is_empty() {
            self.generation_id += 1;
            self.state = State::Empty;
            self.phase_ends_ms = None;
            self.protocol_name.clear();
            self.leader.clear();
            return;
        }
        let joined = |(_, member): &(&String, &Member)| member.joining.is_some();
        let Some((first_joined, _)) = self.members.iter().find(joined) else {
            // Nobody is there to lead: wait until sessions end or somebody comes.
            self.phase_ends_ms = Some(now_ms + self.rebalance_timeout_ms());
            return;
        };
        let leads = self.members.get(&self.leader).is_some_and(|leader| leader.joining.is_some());
        if !leads {
            self.leader = first_joined.clone();
        }
        self.generation_id += 1;
        self.protocol_name = self.select_protocol();
        self.state = State::CompletingRebalance;
        self.phase_ends_ms = Some(now_ms + self.rebalance_timeout_ms());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let generation = self.generation_for(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.synced = false;
            if let Some(token) = member.joining.take() {
                member.sign_of_life(now_ms);
                let joined = Joined { member_id: id, generation: Ok(generation) };
                answers.push((token, GroupAnswer::Join(joined)));
            }
        }
    }

    /// The present generation as `member_id` sees it.
    pub(super) fn generation_for(&self, member_id: &str) -> Generation {
        let leads = self.leader == member_id;
        Generation {
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            skip_assignment: false,
            members: if leads { self.all_metadata() } else { Vec::new() },
        }
    }

    fn all_metadata(&self) -> Vec<MemberMetadata> {
        let metadata = |(id, member): (&String, &Member)| MemberMetadata {
            member_id: id.clone(),
            instance_id: member.profile.instance_id.clone(),
            metadata: member.metadata(&self.protocol_name),
        };
        self.members.iter().map(metadata).collect()
    }

    fn rebalance_timeout_ms(&self) -> u64 {
        let timeouts = self.members.values().map(|member| member.profile.rebalance_timeout_ms);
        timeouts.max().unwrap_or(0).max(1)
    }

    /// The protocol that all members support and most prefer; a tie goes to the first name.
    pub(super) fn select_protocol(&self) -> String {
        let supported_by_all =
            |name: &String| self.members.values().all(|member| member.supports(name));
        let mut votes: BTreeMap<&String, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.profile.protocols.iter().map(|(name, _)| name);
            if let Some(name) = names.find(|name| supported_by_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied();
        let chosen = votes.into_iter().find(|(_, count)| Some(*count) == most);
        chosen.map(|(name, _)| name.clone()).unwrap_or_default()
    }
}
