//! The journal: what is torn, what is damaged, and what is not ours to read.

use std::path::Path;

use super::super::syncer::Fsync;
use super::super::{OpenError, line};
use super::rig::{DIRECTORY, Rig, TOPIC};

fn journal() -> std::path::PathBuf {
    Path::new(DIRECTORY).join("journal")
}

fn rig_with_commits(commits: i64) -> Rig {
    let mut rig = Rig::with_topic(Fsync::Never);
    rig.restart();
    for at in 1..=commits {
        assert_eq!(rig.commit("readers", TOPIC, at), 0);
    }
    rig
}

#[test]
fn an_entry_torn_at_any_byte_is_cut_and_the_journal_goes_on() {
    let mut rig = rig_with_commits(2);
    let whole = rig.files.content(&journal());
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for length in last..whole.len() {
        rig.files.set_content(&journal(), whole[..length].to_vec());
        rig.restart();
        assert_eq!(rig.committed("readers", TOPIC), Some(1), "cut at {length}");
        rig.commit("readers", TOPIC, 7);
        rig.restart();
        assert_eq!(rig.committed("readers", TOPIC), Some(7));
    }
}

#[test]
fn a_flipped_byte_in_the_middle_is_named_and_nothing_is_started() {
    let mut rig = rig_with_commits(3);
    let whole = rig.files.content(&journal());
    let starts: Vec<usize> = whole
        .split_inclusive(|byte| *byte == b'\n')
        .scan(0, |at, line| {
            *at += line.len();
            Some(*at - line.len())
        })
        .collect();
    let last = *starts.last().unwrap();
    for at in 0..last {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        rig.files.set_content(&journal(), flipped);
        let line = *starts.iter().rev().find(|start| **start <= at).unwrap() as u64;
        match rig.try_restart() {
            Err(OpenError::Damaged { path, position }) => {
                assert_eq!((path, position), (journal(), line), "byte {at}");
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    rig.files.set_content(&journal(), whole);
    rig.restart();
    assert_eq!(rig.committed("readers", TOPIC), Some(3));
}

#[test]
fn a_newer_format_is_left_alone() {
    let mut rig = rig_with_commits(1);
    let mut newer = Vec::new();
    line::put_line(&mut newer, "doorbuster-data-directory 2");
    newer.extend_from_slice(b"who knows what\n");
    rig.files.set_content(&journal(), newer.clone());
    assert!(matches!(rig.try_restart(), Err(OpenError::OtherFormat { format: 2, known: 1, .. })));
    assert_eq!(rig.files.content(&journal()), newer);
}

#[test]
fn a_sound_entry_that_nobody_understands_is_not_skipped() {
    let mut rig = rig_with_commits(1);
    let mut bytes = rig.files.content(&journal());
    line::put_line(&mut bytes, "topic-blessed orders");
    rig.files.set_content(&journal(), bytes);
    assert!(matches!(rig.try_restart(), Err(OpenError::Damaged { .. })));
}

#[test]
fn the_journal_shrinks_at_a_start_and_when_it_has_grown() {
    let mut rig = rig_with_commits(0);
    let small = rig.files.content(&journal()).len();
    let mut largest = 0;
    let mut commits = 0;
    loop {
        commits += 1;
        rig.commit("readers", TOPIC, commits);
        // Asked rarely: the fake copies the whole file.
        if commits % 1_000 == 0 {
            let length = rig.files.content(&journal()).len();
            if length < largest {
                break;
            }
            largest = length;
        }
        assert!(commits < 1_000_000, "never rewritten");
    }
    rig.restart();
    assert_eq!(rig.committed("readers", TOPIC), Some(commits));
    assert!(rig.files.content(&journal()).len() < small + 200);
}
