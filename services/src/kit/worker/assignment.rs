//! The work on the partitions of one assignment.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use contract::Timestamp;
use contract::events::Event;
use contract::topics::Topic;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tracing::{error, info};

use super::{Decision, Domain, WorkerSettings};
use crate::kit::dead_letter::{buried_by, bury};
use crate::kit::kafka::assignor::Share;
use crate::kit::kafka::group::Offsets;
use crate::kit::log::{Log, Position, Received};
use crate::kit::progress::Progress;
use crate::kit::publisher::{Acknowledgements, PublishError, Publisher, Token};
use crate::kit::reader::{Batch, Readers, Reading, Span};
use crate::kit::record::{Outgoing, Unreadable};
use crate::kit::trace::{self, Kind};

/// Nobody waits for what a service reads back of its own topic, so it may gather for longer.
const OWN_TOPIC_LINGER: Duration = Duration::from_millis(100);

/// Pause before a full publisher is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// The partitions of one assignment, from folding their history to their last commit.
pub(super) struct Assignment {
    log: Log,
    service: &'static str,
    output: Topic,
    max_in_flight: usize,
    lanes: Vec<Lane>,
    history: Option<Readers>,
    live: Option<Readers>,
    /// Fetched and not yet begun.
    pending: VecDeque<Work>,
    /// Waiting for the outside, or for a dead letter to be written.
    asked: FuturesUnordered<BoxFuture<'static, (Token, Option<Event>)>>,
    acknowledged: mpsc::UnboundedReceiver<Vec<(Token, Position)>>,
    acknowledgements: Acknowledgements,
    in_flight: usize,
    /// Of the records in flight that belong to a trace.
    spans: HashMap<Token, trace::Span>,
    connected: bool,
}

/// One input partition.
struct Lane {
    topic: Topic,
    partition: i32,
    progress: Progress,
    committed: Option<i64>,
}

enum Work {
    Record(Token, Box<Received>),
    Unreadable(Token, Box<Unreadable>),
    /// Everything below this offset of the lane has been seen.
    Passed(usize, i64),
}

/// What woke the assignment up.
enum Woken {
    Acknowledged(Vec<(Token, Position)>),
    Answered(Token, Option<Event>),
    History(Option<Reading>),
    Live(Option<Reading>),
}

impl Assignment {
    /// Starts to fold: the own topic's partitions from the beginning, and the remembered inputs up to
    /// their committed offsets.
    pub(super) fn begin(
        log: &Log,
        settings: &WorkerSettings,
        share: &Share,
        committed: &Offsets,
    ) -> Self {
        let mut lanes = Vec::new();
        let mut spans = Vec::new();
        for (topic, partitions) in &share.partitions {
            for &partition in partitions {
                let offset = committed.get(&(*topic, partition)).copied();
                let start = offset.unwrap_or(0);
                if settings.remembered.contains(topic) && start > 0 {
                    spans.push(Span { topic: *topic, partition, from: 0, until: Some(start) });
                }
                let progress = Progress::new(start);
                lanes.push(Lane { topic: *topic, partition, progress, committed: offset });
            }
        }
        let mut own: Vec<i32> = lanes.iter().map(|lane| lane.partition).collect();
        own.sort_unstable();
        own.dedup();
        let own_span = |partition| Span { topic: settings.output, partition, from: 0, until: None };
        spans.extend(own.into_iter().map(own_span));
        let linger = log.fetch_linger.max(OWN_TOPIC_LINGER);
        let (acknowledgements, acknowledged) = mpsc::unbounded_channel();
        Self {
            log: log.clone(),
            service: settings.service,
            output: settings.output,
            max_in_flight: settings.max_in_flight,
            lanes,
            history: Some(Readers::start(log, spans, linger)),
            live: None,
            pending: VecDeque::new(),
            asked: FuturesUnordered::new(),
            acknowledged,
            acknowledgements,
            in_flight: 0,
            spans: HashMap::new(),
            connected: true,
        }
    }

    /// Waits for the next piece of work and does it. True when the history has just been folded, and
    /// everything decided that stood in the inputs at the start.
    /// May be dropped while it waits.
    pub(super) async fn advance<D: Domain>(
        &mut self,
        domain: &mut D,
        publisher: &Publisher,
    ) -> bool {
        let hungry = self.pending.is_empty();
        let woken = tokio::select! {
            biased;
            Some(tokens) = self.acknowledged.recv() => Woken::Acknowledged(tokens),
            Some((token, event)) = self.asked.next() => Woken::Answered(token, event),
            reading = next(&mut self.history) => Woken::History(reading),
            reading = next(&mut self.live), if hungry => Woken::Live(reading),
        };
        let caught_up = self.handle(woken, domain, publisher);
        self.work_off(domain, publisher);
        caught_up
    }

    fn handle<D: Domain>(&mut self, woken: Woken, domain: &mut D, publisher: &Publisher) -> bool {
        match woken {
            Woken::Acknowledged(tokens) => {
                tokens.into_iter().for_each(|(token, _position)| self.finished(token));
            }
            Woken::Answered(token, Some(event)) => {
                domain.answered(&event);
                self.publish(token, event, publisher);
            }
            Woken::Answered(token, None) => self.finished(token),
            Woken::History(Some(Reading::Batch(batch))) => {
                batch.records.iter().for_each(|record| domain.fold(record));
            }
            Woken::History(Some(Reading::CaughtUp)) => {
                self.live = Some(self.read_on());
            }
            Woken::Live(Some(Reading::Batch(batch))) => self.receive(batch),
            Woken::History(Some(Reading::Connected(connected)))
            | Woken::Live(Some(Reading::Connected(connected))) => self.connected = connected,
            Woken::History(None) => self.history = None,
            Woken::Live(None) => self.live = None,
            // What the batches before this asked for has been decided: they are taken one by one.
            Woken::Live(Some(Reading::CaughtUp)) => return true,
        }
        false
    }

    /// Readers of the inputs from their committed offsets on.
    fn read_on(&self) -> Readers {
        let span = |lane: &Lane| Span {
            topic: lane.topic,
            partition: lane.partition,
            from: lane.progress.committable(),
            until: None,
        };
        Readers::start(&self.log, self.lanes.iter().map(span).collect(), self.log.fetch_linger)
    }

    /// Puts a batch where work is taken from, in the order of the log.
    fn receive(&mut self, batch: Batch) {
        let is_lane = |lane: &Lane| lane.topic == batch.topic && lane.partition == batch.partition;
        let Some(lane) = self.lanes.iter().position(is_lane) else { return };
        let mut unreadable = batch.unreadable.into_iter().peekable();
        for record in batch.records {
            while let Some(record) = unreadable.next_if(|other| other.offset < record.offset) {
                self.pending.push_back(Work::Unreadable(token(lane, record.offset), record.into()));
            }
            self.pending.push_back(Work::Record(token(lane, record.offset), record.into()));
        }
        for record in unreadable {
            self.pending.push_back(Work::Unreadable(token(lane, record.offset), record.into()));
        }
        self.pending.push_back(Work::Passed(lane, batch.next_offset));
    }

    /// Begins as much as may be in flight.
    fn work_off<D: Domain>(&mut self, domain: &mut D, publisher: &Publisher) {
        if self.pending.is_empty() {
            return;
        }
        let now = self.log.clock.now();
        while self.in_flight < self.max_in_flight
            && let Some(work) = self.pending.pop_front()
        {
            match work {
                Work::Record(token, record) => {
                    self.begin_record(token);
                    self.begin_span(token, &record, now);
                    match domain.decide(&record, now) {
                        Decision::Nothing => self.finished(token),
                        Decision::Publish(event) => self.publish(token, event, publisher),
                        Decision::Ask(answer) => {
                            self.asked.push(answer.map(move |event| (token, event)).boxed());
                        }
                    }
                }
                Work::Unreadable(token, record) => {
                    self.begin_record(token);
                    if buried_by(record.topic) == Some(self.output) {
                        let burial = bury(self.log.clone(), *record);
                        self.asked.push(burial.map(move |()| (token, None)).boxed());
                    } else {
                        self.finished(token);
                    }
                }
                Work::Passed(lane, next_offset) => self.lanes[lane].progress.pass(next_offset),
            }
        }
    }

    fn begin_record(&mut self, token: Token) {
        let (lane, offset) = place(token);
        self.lanes[lane].progress.begin(offset);
        self.in_flight += 1;
    }

    fn finished(&mut self, token: Token) {
        let (lane, offset) = place(token);
        if self.lanes[lane].progress.finish(offset) {
            self.in_flight -= 1;
            if let Some(span) = self.spans.remove(&token) {
                span.end(format!("{} process", self.service), self.log.clock.now(), false);
            }
        }
    }

    /// Only records of a trace have one.
    fn begin_span(&mut self, token: Token, record: &Received, now: Timestamp) {
        if record.trace.is_some() {
            let mut span = trace::Span::under(record.trace, Kind::Consumer, now);
            span.attribute("order.id", record.event.order_id());
            span.attribute("messaging.destination.name", record.topic.name());
            self.spans.insert(token, span);
        }
    }

    fn publish(&mut self, token: Token, event: Event, publisher: &Publisher) {
        let trace = self.spans.get(&token).and_then(trace::Span::context);
        let (order, event_type) = (event.order_id(), event.event_type().name());
        info!(service = self.service, %order, event_type, trace = trace.map(display), "decided");
        let outgoing = Outgoing::new(&event, self.log.clock.now()).traced(trace);
        match publisher.enqueue(outgoing, &self.acknowledgements, token) {
            Ok(()) => {}
            // Cannot happen while fewer records are in flight than the queue holds; still none is lost.
            Err(PublishError::Full) => {
                let again = async move {
                    tokio::time::sleep(FULL_PAUSE).await;
                    (token, Some(event))
                };
                self.asked.push(again.boxed());
            }
            // The record stays in flight, so that it is not committed and the next process does it.
            Err(error) => error!(%error, "an event could not be published"),
        }
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

    /// Reads no more and forgets what was not begun.
    pub(super) fn stop_reading(&mut self) {
        self.history = None;
        self.live = None;
        self.pending.clear();
    }

    /// Waits until nothing is in flight any more.
    pub(super) async fn finish<D: Domain>(&mut self, domain: &mut D, publisher: &Publisher) {
        while self.in_flight > 0 {
            self.advance(domain, publisher).await;
        }
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.connected
    }
}

async fn next(readers: &mut Option<Readers>) -> Option<Reading> {
    match readers {
        Some(readers) => readers.next().await,
        None => std::future::pending().await,
    }
}

/// Bits of a token that hold the offset; those above hold the lane.
const OFFSET_BITS: u32 = 48;

/// A token says which record of which lane it stands for.
fn token(lane: usize, offset: i64) -> Token {
    (lane as u64) << OFFSET_BITS | offset.unsigned_abs()
}

fn place(token: Token) -> (usize, i64) {
    let offset = token & ((1 << OFFSET_BITS) - 1);
    (usize::try_from(token >> OFFSET_BITS).unwrap_or(usize::MAX), offset.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_record() {
        for (lane, offset) in [(0, 0), (3, 1_000_000_007), (999, (1 << OFFSET_BITS) - 1)] {
            assert_eq!(place(token(lane, offset)), (lane, offset));
        }
    }
}
