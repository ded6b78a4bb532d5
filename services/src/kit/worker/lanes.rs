//! How far an assignment is in each partition: what may be committed, and what a snapshot stands for.
//!
//! A state already contains the effects of records whose outputs nobody has acknowledged yet. A snapshot
//! must not: after a restart such a record is read again, would look like a repeat, and its output would
//! never be published. So every record of a remembered input notes which step of its order it was the
//! first to take, until it can be committed; an export leaves out the steps of those that cannot. What the
//! own topic says is in as far as it has been read back, whoever wrote it.

use std::collections::BTreeMap;

use contract::ids::OrderId;
use contract::topics::{Step, Topic};

use crate::kit::kafka::assignor::Share;
use crate::kit::kafka::group::Offsets;
use crate::kit::log::Received;
use crate::kit::progress::Progress;
use crate::kit::reader::Span;
use crate::kit::record::Unreadable;
use crate::kit::snapshot::state::Undone;
use crate::kit::snapshot::{Anchor, Cut, Export, Mark, State, Unit};

/// The partitions of an assignment.
pub(super) struct Lanes {
    output: Topic,
    lanes: Vec<Lane>,
    /// The own topic's partitions.
    own: BTreeMap<i32, Mark>,
    /// Records folded or decided so far.
    records: u64,
}

/// One input partition.
struct Lane {
    topic: Topic,
    partition: i32,
    /// Whether its records belong to the state.
    remembered: bool,
    progress: Progress<Note>,
    committed: Option<i64>,
    /// The last record that was folded as history.
    history: Option<Anchor>,
}

/// What is kept of a record until it can be committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    anchor: Anchor,
    /// The step of which it is the first record, when it belongs to the state.
    took: Option<(OrderId, Step)>,
}

impl Lanes {
    /// `known` is what the state holds already, `committed` what the group has done.
    pub(super) fn new(
        share: &Share,
        output: Topic,
        remembered: &[Topic],
        committed: &Offsets,
        known: &Cut,
    ) -> Self {
        let mut lanes = Vec::new();
        let mut own = BTreeMap::new();
        for (topic, partitions) in &share.partitions {
            for &partition in partitions {
                let committed = committed.get(&(*topic, partition)).copied();
                lanes.push(Lane {
                    topic: *topic,
                    partition,
                    remembered: remembered.contains(topic),
                    progress: Progress::new(committed.unwrap_or(0)),
                    committed,
                    history: known.get(&(*topic, partition)).and_then(|mark| mark.anchor),
                });
                own.entry(partition).or_insert_with(|| {
                    known.get(&(output, partition)).copied().unwrap_or_default()
                });
            }
        }
        Self { output, lanes, own, records: 0 }
    }

    /// What to fold before anything is decided: the own topic, and remembered inputs up to what has been
    /// committed, each from where `known` ends.
    pub(super) fn history(&self, known: &Cut) -> Vec<Span> {
        let from = |place| known.get(&place).map_or(0, |mark| mark.next_offset);
        let of_inputs = self.lanes.iter().filter(|lane| lane.remembered).filter_map(|lane| {
            let (topic, partition) = (lane.topic, lane.partition);
            let (from, until) = (from((topic, partition)), lane.progress.committable());
            (from < until).then_some(Span { topic, partition, from, until: Some(until) })
        });
        let own_span = |(partition, mark): (&i32, &Mark)| {
            let (topic, partition) = (self.output, *partition);
            Span { topic, partition, from: mark.next_offset, until: None }
        };
        of_inputs.chain(self.own.iter().map(own_span)).collect()
    }

    /// What to read on with.
    pub(super) fn inputs(&self) -> Vec<Span> {
        let span = |lane: &Lane| Span {
            topic: lane.topic,
            partition: lane.partition,
            from: lane.progress.committable(),
            until: None,
        };
        self.lanes.iter().map(span).collect()
    }

    pub(super) fn find(&self, topic: Topic, partition: i32) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.topic == topic && lane.partition == partition)
    }

    /// History of a partition has been folded up to `next_offset`; `last` is its last event.
    pub(super) fn folded(
        &mut self,
        topic: Topic,
        partition: i32,
        next_offset: i64,
        records: &[Received],
    ) {
        self.records += records.len() as u64;
        let anchor = records.last().map(Anchor::of);
        if topic == self.output {
            self.own.entry(partition).or_default().advance(next_offset, anchor);
        } else if let Some(lane) = self.find(topic, partition) {
            let history = &mut self.lanes[lane].history;
            *history = anchor.or(*history);
        }
    }

    /// A record of `lane` is about to be decided: notes what it will do to `state`.
    pub(super) fn begin(&mut self, lane: usize, record: &Received, state: Option<&dyn State>) {
        self.records += 1;
        let (order, step) = (record.event.order_id(), record.event.step());
        let lane = &mut self.lanes[lane];
        let first = lane.remembered
            && state.is_some_and(|state| !state.has_taken(record.partition, order, step));
        let note = Note { anchor: Anchor::of(record), took: first.then_some((order, step)) };
        lane.progress.begin(record.offset, note);
    }

    /// A record that nobody can read is about to be dealt with.
    pub(super) fn begin_unreadable(&mut self, lane: usize, record: &Unreadable) {
        let note = Note { anchor: Anchor::of_unreadable(record), took: None };
        self.lanes[lane].progress.begin(record.offset, note);
    }

    /// Whether the record was in flight.
    pub(super) fn finish(&mut self, lane: usize, offset: i64) -> bool {
        self.lanes.get_mut(lane).is_some_and(|lane| lane.progress.finish(offset))
    }

    pub(super) fn pass(&mut self, lane: usize, next_offset: i64) {
        self.lanes[lane].progress.pass(next_offset);
    }

    /// Offsets that have moved since they were last asked for; none when nothing moved.
    pub(super) fn uncommitted(&mut self) -> Option<Offsets> {
        let mut offsets = Offsets::new();
        for lane in &mut self.lanes {
            let committable = lane.progress.committable();
            if lane.committed.unwrap_or(0) < committable {
                lane.committed = Some(committable);
                offsets.insert((lane.topic, lane.partition), committable);
            }
        }
        (!offsets.is_empty()).then_some(offsets)
    }

    /// The offsets to commit, moved or not.
    pub(super) fn done(&self) -> Offsets {
        let done = |lane: &Lane| ((lane.topic, lane.partition), lane.progress.committable());
        self.lanes.iter().map(done).collect()
    }

    /// The offset to commit of an input partition.
    pub(super) fn committable(&self, (topic, partition): (Topic, i32)) -> i64 {
        let lane = self.find(topic, partition).map(|lane| &self.lanes[lane]);
        lane.map_or(0, |lane| lane.progress.committable())
    }

    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// The units of `state` that the assignment has partitions of.
    pub(super) fn units(&self, state: &dyn State) -> Vec<Unit> {
        let mut units: Vec<Unit> = self.own.keys().map(|own| state.units().of(*own)).collect();
        units.dedup();
        units
    }

    /// `state` as it follows from the own topic so far and from the committable prefix of the inputs.
    pub(super) fn export(&self, state: &mut dyn State) -> Vec<Export> {
        self.units(state).into_iter().map(|unit| self.export_unit(state, unit)).collect()
    }

    fn export_unit(&self, state: &mut dyn State, unit: Unit) -> Export {
        let own = self.own.iter().filter(|(partition, _)| unit.holds(**partition));
        let mut cut: Cut = own.map(|(own, mark)| ((self.output, *own), *mark)).collect();
        let mut undone = Undone::default();
        for lane in self.lanes.iter().filter(|lane| lane.remembered && unit.holds(lane.partition)) {
            let anchor = lane.progress.last().map(|note| note.anchor).or(lane.history);
            let mark = Mark { next_offset: lane.progress.committable(), anchor };
            cut.insert((lane.topic, lane.partition), mark);
            for (order, step) in lane.progress.open().filter_map(|note| note.took) {
                undone.entry(order).or_default().insert(step);
            }
        }
        Export { unit, cut, content: state.lend(unit, undone) }
    }
}
