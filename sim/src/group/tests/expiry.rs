//! When offsets and groups are forgotten.

use bytes::Bytes;

use super::super::Caller;
use super::super::offsets::CommittedOffset;
use super::{GROUP, Story};
use crate::clock::Now;
use crate::error::ErrorCode;

fn committed(at_wall_ms: i64, expires_wall_ms: Option<i64>) -> CommittedOffset {
    let committed_wall_ms = at_wall_ms;
    CommittedOffset {
        offset: 1,
        leader_epoch: 0,
        metadata: String::new(),
        committed_wall_ms,
        expires_wall_ms,
    }
}

impl Story {
    fn commit(&mut self, group: &str, topic: &str, committed: CommittedOffset) {
        let simple = Caller { member_id: "", instance_id: None, generation_id: -1 };
        let now = self.now();
        let allowed = self.coordinator.may_commit(group, &simple, 8, now);
        assert!(allowed.is_ok() || self.coordinator.get(group).is_some());
        self.coordinator.commit(group, topic, 0, committed).unwrap();
    }

    fn expired_at(&self, wall_ms: i64) -> Vec<String> {
        let now = Now { monotonic_ms: 0, wall_ms };
        let expired = self.coordinator.expired_offsets(now).into_iter();
        expired.map(|(group, topic, _)| format!("{group}/{topic}")).collect()
    }
}

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

#[test]
fn a_simple_consumers_offsets_expire_a_week_after_the_commit_or_when_it_said() {
    let mut story = Story::new();
    story.commit("tool", "old", committed(1_000, None));
    story.commit("tool", "new", committed(9_000, None));
    story.commit("tool", "brief", committed(1_000, Some(5_000)));
    assert_eq!(story.expired_at(4_999), Vec::<String>::new());
    assert_eq!(story.expired_at(5_000), ["tool/brief"]);
    assert_eq!(story.expired_at(WEEK_MS + 1_000), ["tool/brief", "tool/old"]);
}

#[test]
fn a_groups_offsets_live_as_long_as_it_has_members_and_a_week_longer() {
    let mut story = Story::new();
    let id = story.stable_group_of(&["a"]).remove(0);
    story.commit(GROUP, "orders", committed(0, None));
    assert_eq!(story.expired_at(9 * WEEK_MS), Vec::<String>::new());
    story.wall_ms = 2 * WEEK_MS;
    assert_eq!(story.leave(&id, None), Ok(()));
    assert_eq!(story.expired_at(3 * WEEK_MS - 1), Vec::<String>::new());
    assert_eq!(story.expired_at(3 * WEEK_MS), ["workers/orders"]);
    story.coordinator.delete_offset(GROUP, "orders", 0);
    assert_eq!(story.coordinator.unused_groups(), [GROUP]);
}

#[test]
fn consumers_keep_the_offsets_of_what_they_read() {
    let mut story = Story::new();
    story.metadata = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06orders");
    story.stable_group_of(&["a"]);
    story.commit(GROUP, "orders", committed(0, None));
    story.commit(GROUP, "left", committed(0, None));
    assert_eq!(story.expired_at(WEEK_MS), ["workers/left"]);
    assert!(story.coordinator.get(GROUP).unwrap().is_subscribed_to("orders"));
}

#[test]
fn expiry_is_planned_only_while_there_are_groups() {
    let mut story = Story::new();
    assert_eq!(story.coordinator.expiry_due_ms(), None);
    story.commit("tool", "orders", committed(0, None));
    assert_eq!(story.coordinator.expiry_due_ms(), Some(600_000));
    story.coordinator.delete("tool").unwrap();
    story.coordinator.expiry_done(story.now());
    assert_eq!(story.coordinator.expiry_due_ms(), None);
}

#[test]
fn only_a_group_without_members_is_deleted() {
    let mut story = Story::new();
    assert_eq!(story.coordinator.delete(GROUP), Err(ErrorCode::GroupIdNotFound));
    let id = story.stable_group_of(&["a"]).remove(0);
    assert_eq!(story.coordinator.delete(GROUP), Err(ErrorCode::NonEmptyGroup));
    story.leave(&id, None).unwrap();
    assert_eq!(story.coordinator.delete(GROUP), Ok(()));
    // A member that was only promised a place goes with its group, and nothing is left to be due.
    let token = story.join_as("", None, 4);
    assert_eq!(story.joined(token).1, Err(ErrorCode::MemberIdRequired));
    assert_eq!(story.coordinator.delete(GROUP), Ok(()));
    assert_eq!(story.coordinator.next_deadline_ms(), None);
}
