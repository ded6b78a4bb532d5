//! A worker without I/O, for property tests: the real domain and the real [`Lanes`] between logs in memory,
//! read, acknowledged, committed, kept and killed in any order.

use std::collections::{BTreeMap, BTreeSet};

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::{OrderId, ProductId};
use contract::samples;
use contract::topics::{Step, Topic};
use proptest::prelude::*;

use super::lanes::Lanes;
use super::{Decision, Domain};
use crate::kit::kafka::assignor::Share;
use crate::kit::kafka::group::Offsets;
use crate::kit::log::Received;
use crate::kit::snapshot::{Content, Cut, State};

/// What a service reads and writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Topics {
    pub(crate) inputs: &'static [Topic],
    pub(crate) remembered: &'static [Topic],
    pub(crate) output: Topic,
}

/// Something that happens; numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Read(usize),
    Send(usize),
    Acknowledge(usize),
    ReadBack,
    Commit,
    Keep,
    Kill,
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..8_usize).prop_map(Act::Read),
        4 => (0..8_usize).prop_map(Act::Send),
        4 => (0..8_usize).prop_map(Act::Acknowledge),
        4 => Just(Act::ReadBack),
        2 => Just(Act::Commit),
        2 => Just(Act::Keep),
        1 => Just(Act::Kill),
    ];
    prop::collection::vec(act, 0..200)
}

/// Events of a few orders, with repeats and contradictions, as their topics hold them.
pub(crate) fn inputs(types: &'static [EventType]) -> impl Strategy<Value = Vec<Event>> {
    let event = (0..6_u8, prop::sample::select(types)).prop_map(|(order, kind)| event(order, kind));
    prop::collection::vec(event, 1..24)
}

pub(crate) fn event(order: u8, event_type: EventType) -> Event {
    let order_id = OrderId::for_idempotency_key(&order.to_string());
    let (product_id, quantity) = (ProductId::ALL[usize::from(order) % 3], u32::from(order) + 1);
    samples::event_of(order_id, (product_id, quantity), event_type, Timestamp::default())
}

type Kept = BTreeMap<OrderId, Vec<u8>>;

fn all(content: &dyn Content) -> Kept {
    let mut kept = Kept::new();
    content.visit(&mut |order, entry| drop(kept.insert(order, entry.to_vec())));
    kept
}

/// What survives a kill.
struct World<N> {
    new: N,
    topics: Topics,
    logs: BTreeMap<Topic, Vec<Event>>,
    committed: Offsets,
    /// The newest first.
    snapshots: Vec<(Cut, Kept)>,
}

/// What does not.
struct Process<D> {
    domain: D,
    lanes: Lanes,
    position: BTreeMap<Topic, i64>,
    read_back: i64,
    to_send: Vec<(usize, i64, Event)>,
    sent: Vec<(usize, i64)>,
}

impl<D: Domain, N: Fn() -> D> World<N> {
    fn received(&self, topic: Topic, offset: i64) -> Option<Received> {
        let event = self.logs.get(&topic)?.get(usize::try_from(offset).ok()?)?.clone();
        Some(Received {
            topic,
            partition: 0,
            offset,
            timestamp: Timestamp::default(),
            version: "v1",
            trace: None,
            value: event.encode().into(),
            event,
        })
    }

    fn share(&self) -> Share {
        let partitions = self.topics.inputs.iter().map(|topic| (*topic, vec![0])).collect();
        Share { partitions, holder: None }
    }

    /// The state as it follows from the beginning of the logs up to `cut`.
    fn fold(&self, cut: &Cut) -> Kept {
        let mut domain = (self.new)();
        for ((topic, _), mark) in cut {
            for offset in 0..mark.next_offset {
                domain.fold(&self.received(*topic, offset).unwrap());
            }
        }
        contents(&mut domain)
    }

    /// A restart, up to where it begins to decide.
    fn start(&self) -> Process<D> {
        let mut domain = (self.new)();
        let usable = self.snapshots.iter().find(|(cut, _)| {
            cut.iter().all(|((topic, partition), mark)| {
                let done = self.committed.get(&(*topic, *partition)).copied().unwrap_or(0);
                *topic == self.topics.output || mark.next_offset <= done
            })
        });
        let mut known = Cut::new();
        if let Some((cut, kept)) = usable {
            known.clone_from(cut);
            let state = domain.state().unwrap();
            let unit = state.units().of(0);
            state.expect(unit, kept.len());
            assert!(kept.iter().all(|(order, entry)| state.restore(unit, *order, entry)));
        }
        let Topics { output, remembered, .. } = self.topics;
        let mut lanes = Lanes::new(&self.share(), output, remembered, &self.committed, &known);
        let mut read_back = 0;
        for span in lanes.history(&known) {
            let end = span.until.unwrap_or(i64::try_from(self.logs[&output].len()).unwrap());
            for offset in span.from..end {
                let record = self.received(span.topic, offset).unwrap();
                domain.fold(&record);
                lanes.folded(span.topic, 0, offset + 1, &[record]);
            }
            read_back = if span.topic == output { end } else { read_back };
        }
        domain.caught_up();
        let position = lanes.inputs().iter().map(|span| (span.topic, span.from)).collect();
        Process { domain, lanes, position, read_back, to_send: Vec::new(), sent: Vec::new() }
    }
}

fn contents<D: Domain>(domain: &mut D) -> Kept {
    let state: &mut dyn State = domain.state().unwrap();
    let unit = state.units().of(0);
    all(&*state.lend(unit, Default::default()))
}

impl<D: Domain> Process<D> {
    fn read<N: Fn() -> D>(&mut self, world: &World<N>, choice: usize) -> bool {
        let topic = world.topics.inputs[choice % world.topics.inputs.len()];
        let Some(record) = world.received(topic, self.position[&topic]) else { return false };
        *self.position.get_mut(&topic).unwrap() += 1;
        let lane = self.lanes.find(topic, 0).unwrap();
        self.lanes.begin(lane, &record, self.domain.state().map(|state| &*state));
        match self.domain.decide(&record, Timestamp::default()) {
            Decision::Nothing => drop(self.lanes.finish(lane, record.offset)),
            Decision::Publish(event) => self.to_send.push((lane, record.offset, event)),
            Decision::Ask(_) | Decision::Later(_) => panic!("not in this model"),
        }
        true
    }

    fn act<N: Fn() -> D>(&mut self, world: &mut World<N>, act: Act) -> bool {
        match act {
            Act::Read(choice) => return self.read(world, choice),
            Act::Send(_) if self.to_send.is_empty() => return false,
            Act::Send(choice) => {
                let (lane, offset, event) = self.to_send.remove(choice % self.to_send.len());
                world.logs.get_mut(&world.topics.output).unwrap().push(event);
                self.sent.push((lane, offset));
            }
            Act::Acknowledge(_) if self.sent.is_empty() => return false,
            Act::Acknowledge(choice) => {
                let (lane, offset) = self.sent.remove(choice % self.sent.len());
                assert!(self.lanes.finish(lane, offset));
            }
            Act::ReadBack => {
                let output = world.topics.output;
                let Some(record) = world.received(output, self.read_back) else { return false };
                self.read_back += 1;
                self.domain.fold(&record);
                self.lanes.folded(output, 0, self.read_back, &[record]);
            }
            Act::Commit => world.committed.extend(self.lanes.uncommitted().unwrap_or_default()),
            Act::Keep => {
                let exports = self.lanes.export(self.domain.state().unwrap());
                for export in exports {
                    let kept = all(&*export.content);
                    assert_eq!(
                        kept,
                        world.fold(&export.cut),
                        "a fold of the log up to its offsets"
                    );
                    world.snapshots.insert(0, (export.cut, kept));
                    world.snapshots.truncate(2);
                }
            }
            Act::Kill => *self = world.start(),
        }
        true
    }
}

/// Plays `acts`, then lets everything come to its end; the log, and the state beside a fold of it.
pub(crate) fn play<D: Domain>(
    new: impl Fn() -> D,
    topics: Topics,
    inputs: &[Event],
    acts: &[Act],
) -> BTreeMap<Topic, Vec<Event>> {
    let mut logs: BTreeMap<Topic, Vec<Event>> =
        topics.inputs.iter().chain([&topics.output]).map(|topic| (*topic, Vec::new())).collect();
    for event in inputs {
        logs.get_mut(&event.event_type().topic()).unwrap().push(event.clone());
    }
    let (committed, snapshots) = (Offsets::new(), Vec::new());
    let mut world = World { new, topics, logs, committed, snapshots };
    let mut process = world.start();
    for act in acts {
        process.act(&mut world, *act);
    }
    loop {
        let reads = (0..topics.inputs.len()).map(Act::Read);
        let rest = reads.chain([Act::Send(0), Act::Acknowledge(0), Act::ReadBack]);
        let moved: Vec<bool> =
            rest.collect::<Vec<_>>().into_iter().map(|act| process.act(&mut world, act)).collect();
        if !moved.contains(&true) {
            break;
        }
    }
    let whole: BTreeSet<Topic> = topics.remembered.iter().copied().chain([topics.output]).collect();
    let cut = whole.into_iter().map(|topic| {
        let next_offset = i64::try_from(world.logs[&topic].len()).unwrap();
        ((topic, 0), crate::kit::snapshot::Mark { next_offset, anchor: None })
    });
    assert_eq!(contents(&mut process.domain), world.fold(&cut.collect()), "nothing was missed");
    world.logs
}

/// How many records of a step stand in a log for each order.
pub(crate) fn count(log: &[Event], step: Step) -> BTreeMap<OrderId, usize> {
    let mut counts = BTreeMap::new();
    for event in log.iter().filter(|event| event.step() == step) {
        *counts.entry(event.order_id()).or_default() += 1;
    }
    counts
}

/// The first record of `step` of each order.
pub(crate) fn firsts(log: &[Event], step: Step) -> BTreeMap<OrderId, EventType> {
    let mut firsts = BTreeMap::new();
    for event in log.iter().filter(|event| event.step() == step) {
        firsts.entry(event.order_id()).or_insert_with(|| event.event_type());
    }
    firsts
}
