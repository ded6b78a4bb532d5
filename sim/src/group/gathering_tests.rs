//! Groups that gather members before their first generation.

use super::*;

#[test]
fn a_new_group_may_gather_members_before_its_first_generation() {
    let mut story = Story::that_gathers_for("3000");
    let first = story.join_as("", Some("a"), 5);
    story.pass(2_999);
    let second = story.join_as("", Some("b"), 5);
    story.pass(1);
    assert_eq!(story.state(), State::PreparingRebalance, "somebody came: it waits on");
    // The rebalance timeout of five seconds bounds the wait.
    let third = story.join_as("", Some("c"), 5);
    story.pass(1_999);
    assert!(story.answers.is_empty());
    story.pass(1);
    let members = [first, second, third].map(|token| story.joined(token).1.unwrap().members.len());
    assert_eq!(members, [3, 0, 0]);
    assert_eq!(story.coordinator.get(GROUP).unwrap().generation_id, 1);
    // From then on nobody waits longer than for the others.
    let last = story.join_as("", Some("d"), 5);
    assert_eq!(story.state(), State::PreparingRebalance);
    assert!(!story.answers.contains_key(&last));
}

#[test]
fn a_gathering_that_everybody_leaves_ends_empty() {
    let mut story = Story::that_gathers_for("3000");
    let only = story.join_as("", Some("a"), 5);
    assert_eq!(story.leave("", Some("a")), Ok(()));
    assert_eq!(story.joined(only).1, Err(ErrorCode::UnknownMemberId));
    assert_eq!(story.state(), State::Empty);
    let alone = story.join_as("", Some("a"), 5);
    story.pass(3_000);
    assert_eq!(story.joined(alone).1.unwrap().members.len(), 1);
}
