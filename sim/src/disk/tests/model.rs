//! Random operations with random ends, against a model that remembers what was acknowledged.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::syncer::Fsync;
use super::fake::Faults;
use super::rig::{Rig, batch};

#[derive(Debug, Clone)]
enum Operation {
    Create(usize),
    Delete(usize),
    Produce(usize, u8),
    Commit(usize, u8),
    /// Deletes the records up to so many 255ths of the log.
    Trim(usize, u8),
    /// Everything so far is safe, however the process ends.
    Sync,
    /// The process dies in the middle of the next operation, after so many written bytes.
    Kill(u16),
    /// And so does the machine; of what was not synced, so much is left.
    PowerCut(u8),
    /// The disk has room for so many bytes during the next operation.
    Full(u16),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let topic = || 0..TOPICS.len();
    let operation = prop_oneof![
        2 => topic().prop_map(Operation::Create),
        1 => topic().prop_map(Operation::Delete),
        8 => (topic(), 1..4u8).prop_map(|(topic, records)| Operation::Produce(topic, records)),
        3 => (topic(), any::<u8>()).prop_map(|(topic, offset)| Operation::Commit(topic, offset)),
        2 => (topic(), any::<u8>()).prop_map(|(topic, part)| Operation::Trim(topic, part)),
        1 => Just(Operation::Sync),
        2 => (0..400u16).prop_map(Operation::Kill),
        1 => any::<u8>().prop_map(Operation::PowerCut),
        1 => (0..300u16).prop_map(Operation::Full),
    ];
    proptest::collection::vec(operation, 1..40)
}

const TOPICS: [&str; 3] = ["a", "b", "c"];
/// Small, so that logs have several segments.
const SETTINGS: [(&str, &str); 1] = [("segment.bytes", "300")];

/// What one topic must hold after a restart.
#[derive(Debug, Clone, Default, PartialEq)]
struct Expected {
    log_start: i64,
    /// Timestamps of the records from there on.
    records: Vec<i64>,
    committed: Option<i64>,
}

impl Expected {
    fn end(&self) -> i64 {
        self.log_start + self.records.len() as i64
    }

    /// Whether this is what a log like `other` was earlier, or was until its start moved.
    fn is_earlier(&self, other: &Self) -> bool {
        let from = self.log_start.max(other.log_start).min(self.end());
        let kept = &self.records[(from - self.log_start) as usize..];
        let same = (from..).zip(kept).all(|(offset, time)| {
            let at = usize::try_from(offset - other.log_start);
            at.is_ok_and(|at| other.records.get(at) == Some(time))
        });
        same && self.end() <= other.end()
    }
}

type State = BTreeMap<&'static str, Expected>;

struct Run {
    rig: Rig,
    fsync: Fsync,
    clock: i64,
    state: State,
    /// The states that a power cut may leave: the one that was synced, and each one since.
    since_sync: Vec<State>,
}

impl Run {
    fn new(fsync: Fsync) -> Self {
        let state = State::new();
        Self { rig: Rig::new(fsync), fsync, clock: 0, since_sync: vec![state.clone()], state }
    }

    /// Does it, and returns the state that it leads to if it succeeds.
    fn attempt(&mut self, operation: &Operation) -> (bool, State) {
        let mut after = self.state.clone();
        let code = match operation {
            Operation::Create(topic) => {
                after.entry(TOPICS[*topic]).or_default();
                self.rig.create_topic(TOPICS[*topic], &SETTINGS)
            }
            Operation::Delete(topic) => {
                after.remove(TOPICS[*topic]);
                self.rig.delete_topic(TOPICS[*topic])
            }
            Operation::Produce(topic, records) => {
                let times: Vec<i64> = (0..i64::from(*records)).map(|at| self.clock + at).collect();
                self.clock += i64::from(*records);
                if let Some(expected) = after.get_mut(TOPICS[*topic]) {
                    expected.records.extend(&times);
                }
                self.rig.produce(TOPICS[*topic], batch(&times)).0
            }
            Operation::Trim(topic, part) => {
                let name = TOPICS[*topic];
                let Some(expected) = after.get_mut(name) else { return (false, after) };
                let start = expected.end() * i64::from(*part) / 255;
                let dropped = (start - expected.log_start).max(0);
                expected.records.drain(..dropped as usize);
                expected.log_start += dropped;
                // Refused, or under way: with `always` its answer would wait for this sync.
                let trimmed = self.rig.core.delete_records(name, 0, start);
                self.rig.sync();
                trimmed.map_or_else(|error| error.code(), |_| 0)
            }
            Operation::Commit(topic, offset) => {
                if let Some(expected) = after.get_mut(TOPICS[*topic]) {
                    expected.committed = Some(i64::from(*offset));
                }
                self.rig.commit("readers", TOPICS[*topic], i64::from(*offset))
            }
            _ => unreachable!("no request"),
        };
        (code == 0, after)
    }

    fn succeeded(&mut self, after: State) {
        self.state = after;
        match self.fsync {
            Fsync::Always => self.since_sync = vec![self.state.clone()],
            _ => self.since_sync.push(self.state.clone()),
        }
    }

    fn found(&mut self) -> State {
        let mut found = State::new();
        for topic in TOPICS {
            if self.rig.core.topics.get(topic).is_none() {
                continue;
            }
            let log = &self.rig.core.topics.partition(topic, 0).unwrap().log;
            let (log_start, end) = (log.log_start_offset(), log.high_watermark());
            let mut records = self.rig.records(topic);
            // A log may start inside a batch.
            records.retain(|(offset, _)| *offset >= log_start);
            assert!(records.iter().map(|(offset, _)| *offset).eq(log_start..end));
            let records = records.into_iter().map(|(_, timestamp)| timestamp).collect();
            let committed = self.rig.committed("readers", topic);
            found.insert(topic, Expected { log_start, records, committed });
        }
        found
    }

    /// Restarts; what is found must be among `allowed`, which it is from here on.
    fn restart(&mut self, allowed: &[State]) {
        self.rig.files.set_faults(Faults::default());
        self.rig.restart();
        let found = self.found();
        assert!(allowed.contains(&found), "found {found:?}, allowed {allowed:?}");
        self.state = found;
        // A restart makes nothing safer than it was, but the journal.
        self.rig.sync();
        self.since_sync = vec![self.state.clone()];
    }

    fn step(&mut self, operation: &Operation, next: Option<&Operation>) -> bool {
        let faults = match operation {
            Operation::Sync => {
                self.rig.sync();
                self.since_sync = vec![self.state.clone()];
                return false;
            }
            Operation::PowerCut(keep) => {
                self.rig.files.cut_power(*keep);
                self.power_cut();
                return false;
            }
            Operation::Kill(bytes) => {
                Faults { dies_after: Some(usize::from(*bytes)), ..Faults::default() }
            }
            Operation::Full(bytes) => {
                Faults { room: Some(usize::from(*bytes)), ..Faults::default() }
            }
            request => {
                let (done, after) = self.attempt(request);
                if done {
                    self.succeeded(after);
                }
                return false;
            }
        };
        let Some(
            next @ (Operation::Create(_)
            | Operation::Delete(_)
            | Operation::Produce(..)
            | Operation::Trim(..)
            | Operation::Commit(..)),
        ) = next
        else {
            return false;
        };
        self.rig.files.set_faults(faults);
        let (done, after) = self.attempt(next);
        self.rig.files.set_faults(Faults { dies_after: None, ..Faults::default() });
        if matches!(operation, Operation::Kill(_)) {
            // Nobody knows whether a request that was not answered has happened.
            self.restart(&[self.state.clone(), after]);
        } else if done {
            self.succeeded(after);
        }
        true
    }

    /// With `always` everything acknowledged is there. Else each topic is as it was at some moment
    /// since the last sync; the journal and the segments are not of the same moment.
    fn power_cut(&mut self) {
        if self.fsync == Fsync::Always {
            let allowed = self.since_sync.clone();
            return self.restart(&allowed);
        }
        self.rig.restart();
        let found = self.found();
        let synced = &self.since_sync[0];
        for (topic, expected) in &found {
            let moments = self.since_sync.iter().filter_map(|state| state.get(topic));
            let moments: Vec<&Expected> = moments.collect();
            let known = moments.iter().any(|moment| expected.is_earlier(moment));
            assert!(known, "{topic}: found {expected:?} of {moments:?}");
        }
        for (topic, expected) in synced {
            if self.since_sync.iter().all(|state| state.contains_key(topic)) {
                assert!(expected.is_earlier(&found[topic]), "{topic}: a synced record is lost");
            }
        }
        self.state = found;
        self.rig.sync();
        self.since_sync = vec![self.state.clone()];
    }
}

fn run(fsync: Fsync, operations: &[Operation]) {
    let mut run = Run::new(fsync);
    let mut at = 0;
    while at < operations.len() {
        let took_next = run.step(&operations[at], operations.get(at + 1));
        at += if took_next { 2 } else { 1 };
    }
    let state = run.state.clone();
    run.restart(&[state]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_acknowledged_with_always_survives_everything(operations in operations()) {
        run(Fsync::Always, &operations);
    }

    #[test]
    fn whatever_is_acknowledged_survives_a_kill(operations in operations()) {
        run(Fsync::Never, &operations);
    }
}
