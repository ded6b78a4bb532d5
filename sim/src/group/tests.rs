//! Whole stories of groups, on a clock that stands where the test puts it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::answer::{Generation, GroupAnswer, Joined, Synced};
use super::member::Profile;
use super::{Caller, Coordinator, Join, Sync};
use crate::Token;
use crate::broker_config::BrokerConfig;
use crate::clock::Now;
use crate::error::ErrorCode;
use crate::group::state::State;

mod expiry;

const GROUP: &str = "workers";
const SESSION_MS: u64 = 1_000;
const REBALANCE_MS: u64 = 5_000;

struct Story {
    coordinator: Coordinator,
    now_ms: u64,
    tokens: u64,
    answers: BTreeMap<Token, GroupAnswer>,
    wall_ms: i64,
    /// What members join with.
    metadata: Bytes,
}

impl Story {
    fn new() -> Self {
        let coordinator = Coordinator::new(&BrokerConfig::default());
        Self {
            coordinator,
            now_ms: 0,
            tokens: 0,
            answers: BTreeMap::new(),
            wall_ms: 0,
            metadata: Bytes::from_static(b"orders"),
        }
    }

    fn that_gathers_for(ms: &str) -> Self {
        let mut config = BrokerConfig::default();
        config.start_with("group.initial.rebalance.delay.ms", ms).unwrap();
        Self { coordinator: Coordinator::new(&config), ..Self::new() }
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: self.wall_ms }
    }

    fn gather(&mut self) {
        for (token, answer) in self.coordinator.take_answers() {
            assert!(self.answers.insert(token, answer).is_none(), "{token:?} answered twice");
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.coordinator.advance(self.now());
        self.gather();
    }

    fn join_as(&mut self, member_id: &str, instance_id: Option<&str>, version: i16) -> Token {
        self.tokens += 1;
        let join = Join {
            token: Token(self.tokens),
            version,
            member_id: member_id.to_owned(),
            new_member_id: format!("member-{}", self.tokens),
            profile: Profile {
                instance_id: instance_id.map(str::to_owned),
                client_id: "test".to_owned(),
                client_host: "here".to_owned(),
                session_timeout_ms: SESSION_MS,
                rebalance_timeout_ms: REBALANCE_MS,
                protocol_type: "consumer".to_owned(),
                protocols: vec![("range".to_owned(), self.metadata.clone())],
            },
        };
        self.coordinator.join(GROUP, join, self.now());
        self.gather();
        Token(self.tokens)
    }

    fn joined(&mut self, token: Token) -> (String, Result<Generation, ErrorCode>) {
        match self.answers.remove(&token) {
            Some(GroupAnswer::Join(Joined { member_id, generation })) => (member_id, generation),
            other => panic!("{token:?} has {other:?}"),
        }
    }

    fn sync(&mut self, member_id: &str, generation_id: i32, assign: &[(&str, &str)]) -> Token {
        self.tokens += 1;
        let caller = Caller { member_id, instance_id: None, generation_id };
        let assignments = assign.iter().map(|(member_id, assignment)| {
            ((*member_id).to_owned(), Bytes::copy_from_slice(assignment.as_bytes()))
        });
        let sync = Sync { assignments: assignments.collect(), ..Sync::default() };
        let token = Token(self.tokens);
        self.coordinator.sync(GROUP, token, &caller, sync, self.now());
        self.gather();
        token
    }

    fn synced(&mut self, token: Token) -> Result<String, ErrorCode> {
        match self.answers.remove(&token) {
            Some(GroupAnswer::Sync(Ok(Synced { assignment, .. }))) => {
                Ok(String::from_utf8(assignment.to_vec()).unwrap())
            }
            Some(GroupAnswer::Sync(Err(error))) => Err(error),
            other => panic!("{token:?} has {other:?}"),
        }
    }

    fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> Result<(), ErrorCode> {
        let caller = Caller { member_id, instance_id: None, generation_id };
        let alive = self.coordinator.heartbeat(GROUP, &caller, self.now());
        self.gather();
        alive
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        let left = self.coordinator.leave(GROUP, member_id, instance_id, self.now());
        self.gather();
        left
    }

    fn state(&self) -> State {
        self.coordinator.get(GROUP).unwrap().state
    }

    /// A stable group of one static member per name; returns their member ids.
    fn stable_group_of(&mut self, instances: &[&str]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for instance in instances {
            let new = self.join_as("", Some(instance), 5);
            // The others hear of the rebalance and join again.
            let again: Vec<Token> = ids
                .iter()
                .zip(instances)
                .map(|(id, instance)| self.join_as(id, Some(instance), 5))
                .collect();
            let (id, generation) = self.joined(new);
            let generation_id = generation.unwrap().generation_id;
            again.into_iter().for_each(|token| assert!(self.joined(token).1.is_ok()));
            ids.push(id);
            let assignment: Vec<(&str, &str)> =
                ids.iter().map(String::as_str).zip(instances.iter().copied()).collect();
            // The first member leads; the others may ask before it has decided.
            let followers: Vec<Token> =
                ids[1..].iter().map(|id| self.sync(id, generation_id, &[])).collect();
            let leader = self.sync(&ids[0], generation_id, &assignment);
            assert_eq!(self.synced(leader).unwrap(), instances[0]);
            for (token, instance) in followers.into_iter().zip(&instances[1..]) {
                assert_eq!(self.synced(token).unwrap(), *instance);
            }
        }
        assert_eq!(self.state(), State::Stable);
        ids
    }
}

#[test]
fn a_new_member_is_given_an_id_first_only_from_version_4_on() {
    let mut story = Story::new();
    let token = story.join_as("", None, 4);
    let (id, generation) = story.joined(token);
    assert_eq!(generation, Err(ErrorCode::MemberIdRequired));
    let token = story.join_as(&id, None, 4);
    assert_eq!(story.joined(token).1.unwrap().generation_id, 1);

    let mut story = Story::new();
    let token = story.join_as("", None, 3);
    let (id, generation) = story.joined(token);
    assert_eq!(generation.unwrap().leader, id);
}

#[test]
fn two_members_share_through_the_leader() {
    let mut story = Story::new();
    let ids = story.stable_group_of(&["a", "b"]);
    assert_eq!(story.coordinator.get(GROUP).unwrap().generation_id, 2);
    assert_eq!(story.heartbeat(&ids[1], 2), Ok(()));
    assert_eq!(story.heartbeat(&ids[1], 1), Err(ErrorCode::IllegalGeneration));
    assert_eq!(story.heartbeat("nobody", 2), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_silent_member_is_removed_and_the_others_rebalance() {
    let mut story = Story::new();
    let ids = story.stable_group_of(&["a", "b"]);
    story.pass(SESSION_MS - 1);
    assert_eq!(story.heartbeat(&ids[0], 2), Ok(()));
    story.pass(1);
    assert_eq!(story.state(), State::PreparingRebalance);
    assert_eq!(story.heartbeat(&ids[0], 2), Err(ErrorCode::RebalanceInProgress));
    let token = story.join_as(&ids[0], Some("a"), 5);
    let (_, generation) = story.joined(token);
    let generation = generation.unwrap();
    assert_eq!((generation.generation_id, generation.members.len()), (3, 1));
    assert_eq!(story.heartbeat(&ids[1], 3), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_static_member_returns_without_a_rebalance_and_fences_its_past() {
    for (restarted, other) in [(1, 0), (0, 1)] {
        let mut story = Story::new();
        let instances = ["a", "b"];
        let ids = story.stable_group_of(&instances);
        let token = story.join_as("", Some(instances[restarted]), 5);
        let (new_id, generation) = story.joined(token);
        let generation = generation.unwrap();
        assert_ne!(new_id, ids[restarted]);
        assert_eq!(generation.generation_id, 2, "the generation goes on");
        assert_ne!(generation.leader, new_id, "it is not to assign anew");
        assert_eq!(story.state(), State::Stable);
        let token = story.sync(&new_id, 2, &[]);
        assert_eq!(story.synced(token).unwrap(), instances[restarted]);
        assert_eq!(story.heartbeat(&ids[other], 2), Ok(()), "the other one hears nothing");

        let past = Caller {
            member_id: &ids[restarted],
            instance_id: Some(instances[restarted]),
            generation_id: 2,
        };
        let beat = story.coordinator.heartbeat(GROUP, &past, story.now());
        assert_eq!(beat, Err(ErrorCode::FencedInstanceId));
        let token = story.join_as(&ids[restarted], Some(instances[restarted]), 5);
        assert_eq!(story.joined(token).1, Err(ErrorCode::FencedInstanceId));
    }
}

#[test]
fn a_returning_leader_is_told_to_keep_the_assignment() {
    let mut story = Story::new();
    story.stable_group_of(&["a", "b"]);
    let token = story.join_as("", Some("a"), 9);
    let (new_id, generation) = story.joined(token);
    let generation = generation.unwrap();
    assert_eq!(generation.leader, new_id);
    assert!(generation.skip_assignment);
    assert_eq!(generation.members.len(), 2);
}

#[test]
fn a_waiting_request_of_a_replaced_member_is_fenced() {
    let mut story = Story::new();
    let ids = story.stable_group_of(&["a", "b"]);
    // "b" waits for "a" to join again when its successor appears.
    let newcomer = story.join_as("", Some("c"), 5);
    let waiting = story.join_as(&ids[1], Some("b"), 5);
    let successor = story.join_as("", Some("b"), 5);
    assert_eq!(story.joined(waiting).1, Err(ErrorCode::FencedInstanceId));
    let last = story.join_as(&ids[0], Some("a"), 5);
    for token in [newcomer, successor, last] {
        assert_eq!(story.joined(token).1.unwrap().generation_id, 3);
    }
}

#[test]
fn the_rebalance_timeout_bounds_the_wait_for_others() {
    let mut story = Story::new();
    let first = story.join_as("", None, 3);
    let (first_id, generation) = story.joined(first);
    let generation_id = generation.unwrap().generation_id;
    let token = story.sync(&first_id, generation_id, &[(&first_id, "all")]);
    assert_eq!(story.synced(token).unwrap(), "all");
    let second = story.join_as("", None, 3);
    assert!(!story.answers.contains_key(&second), "the first one may still come");
    for _ in 0..REBALANCE_MS / 500 {
        story.pass(500);
        let beat = story.heartbeat(&first_id, generation_id);
        assert!(matches!(beat, Err(ErrorCode::RebalanceInProgress | ErrorCode::UnknownMemberId)));
    }
    let (second_id, generation) = story.joined(second);
    let generation = generation.unwrap();
    assert_eq!((generation.leader, generation.members.len()), (second_id, 1));
}

#[test]
fn members_that_never_ask_for_their_assignment_are_removed() {
    let mut story = Story::new();
    let token = story.join_as("", Some("a"), 5);
    let (id, _) = story.joined(token);
    for _ in 0..REBALANCE_MS / 500 {
        assert_eq!(story.heartbeat(&id, 1), Ok(()));
        story.pass(500);
    }
    assert_eq!(story.heartbeat(&id, 1), Err(ErrorCode::UnknownMemberId));
    assert_eq!(story.state(), State::Empty);
}

#[test]
fn leaving_by_instance_id_frees_the_place_at_once() {
    let mut story = Story::new();
    let ids = story.stable_group_of(&["a", "b"]);
    assert_eq!(story.leave("", Some("nobody")), Err(ErrorCode::UnknownMemberId));
    assert_eq!(story.leave(&ids[0], Some("b")), Err(ErrorCode::FencedInstanceId));
    assert_eq!(story.leave("", Some("b")), Ok(()));
    assert_eq!(story.state(), State::PreparingRebalance);
    assert_eq!(story.leave(&ids[0], None), Ok(()));
    assert_eq!(story.state(), State::Empty);
    assert_eq!(story.coordinator.next_deadline_ms(), None);
}

#[test]
fn commits_are_for_the_present_generation_or_for_an_empty_group() {
    let mut story = Story::new();
    let now = story.now();
    let commit = |story: &mut Story, group: &str, member_id: &str, generation_id, version| {
        let caller = Caller { member_id, instance_id: None, generation_id };
        story.coordinator.may_commit(group, &caller, version, now)
    };
    assert_eq!(commit(&mut story, GROUP, "", -1, 8), Ok(()));
    assert_eq!(commit(&mut story, "", "", -1, 8), Ok(()), "the group without a name is one, too");
    let id = story.stable_group_of(&["a"]).remove(0);
    assert_eq!(commit(&mut story, GROUP, "", -1, 8), Err(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut story, GROUP, &id, 1, 8), Ok(()));
    assert_eq!(commit(&mut story, GROUP, &id, 0, 8), Err(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut story, GROUP, &id, -1, 8), Err(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut story, "other", &id, 1, 8), Err(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut story, "other", &id, 1, 9), Err(ErrorCode::GroupIdNotFound));
    let token = story.join_as(&id, Some("a"), 5);
    assert_eq!(story.joined(token).1.unwrap().generation_id, 2);
    assert_eq!(commit(&mut story, GROUP, &id, 2, 8), Err(ErrorCode::RebalanceInProgress));
}

#[test]
fn a_pending_member_that_never_joins_holds_nobody_up_for_longer_than_its_session() {
    let mut story = Story::new();
    let token = story.join_as("", None, 4);
    assert_eq!(story.joined(token).1, Err(ErrorCode::MemberIdRequired));
    let second = story.join_as("", Some("b"), 5);
    assert!(!story.answers.contains_key(&second));
    story.pass(SESSION_MS);
    assert_eq!(story.joined(second).1.unwrap().members.len(), 1);
}

#[test]
fn a_full_group_takes_nobody_more_and_sessions_keep_to_their_bounds() {
    let mut config = BrokerConfig::default();
    config.start_with("group.max.size", "1").unwrap();
    config.start_with("group.min.session.timeout.ms", "1000").unwrap();
    let mut story = Story { coordinator: Coordinator::new(&config), ..Story::new() };
    let id = story.stable_group_of(&["a"]).remove(0);
    let token = story.join_as("", Some("b"), 5);
    assert_eq!(story.joined(token).1, Err(ErrorCode::GroupMaxSizeReached));
    let token = story.join_as(&id, Some("a"), 5);
    assert!(story.joined(token).1.is_ok(), "who is in stays in");
    config.start_with("group.min.session.timeout.ms", "1001").unwrap();
    story.coordinator.settings = (&config).into();
    let token = story.join_as(&id, Some("a"), 5);
    assert_eq!(story.joined(token).1, Err(ErrorCode::InvalidSessionTimeout));
}

#[test]
fn a_group_without_a_name_takes_no_members() {
    let mut story = Story::new();
    let nobody = Caller { member_id: "", instance_id: None, generation_id: 1 };
    let now = story.now();
    assert_eq!(story.coordinator.heartbeat("", &nobody, now), Err(ErrorCode::InvalidGroupId));
    story.coordinator.sync("", Token(900), &nobody, Sync::default(), now);
    story.gather();
    assert_eq!(story.synced(Token(900)), Err(ErrorCode::InvalidGroupId));
}

#[path = "gathering_tests.rs"]
mod gathering;
