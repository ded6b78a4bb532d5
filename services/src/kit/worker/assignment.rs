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

use super::lanes::Lanes;
use super::{Decision, Domain, Stamped, WorkerSettings};
use crate::kit::dead_letter::{buried_by, bury};
use crate::kit::kafka::assignor::Share;
use crate::kit::kafka::group::Offsets;
use crate::kit::lag::Lags;
use crate::kit::log::{Log, Position, Received};
use crate::kit::publisher::{Acknowledgements, PublishError, Publisher, Token};
use crate::kit::reader::{Batch, Readers, Reading};
use crate::kit::record::{Outgoing, Unreadable};
use crate::kit::snapshot::{Cut, Export};
use crate::kit::trace::{Kind, Span, TraceContext};

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
    lanes: Lanes,
    history: Option<Readers>,
    live: Option<Readers>,
    lags: Lags,
    /// Fetched and not yet begun.
    pending: VecDeque<Work>,
    /// Waiting for the outside, or for a dead letter to be written.
    asked: FuturesUnordered<BoxFuture<'static, Answer>>,
    acknowledged: mpsc::UnboundedReceiver<Vec<(Token, Position)>>,
    acknowledgements: Acknowledgements,
    in_flight: usize,
    /// Of the records in flight that belong to a trace.
    spans: HashMap<Token, Span>,
    connected: bool,
}

/// What is to be published for a token, at the time when it was decided or else now.
type Answer = (Token, Option<(Event, Option<Timestamp>)>);

enum Work {
    Record(Token, Box<Received>),
    Unreadable(Token, Box<Unreadable>),
    /// Everything below this offset of the lane has been seen.
    Passed(usize, i64),
}

/// What woke the assignment up.
enum Woken {
    Acknowledged(Vec<(Token, Position)>),
    Answered(Answer),
    History(Option<Reading>),
    Live(Option<Reading>),
}

impl Assignment {
    /// Starts to fold what `known` does not contain: the own topic's partitions, and the remembered inputs
    /// up to their committed offsets.
    pub(super) fn begin(
        log: &Log,
        settings: &WorkerSettings,
        share: &Share,
        committed: &Offsets,
        known: &Cut,
    ) -> Self {
        let lanes = Lanes::new(share, settings.output, settings.remembered, committed, known);
        let inputs = lanes.inputs().into_iter().map(|span| (span.topic, span.partition));
        let lags = Lags::new(settings.output.producer(), inputs);
        let linger = log.fetch_linger.max(OWN_TOPIC_LINGER);
        let history = Readers::start(log, lanes.history(known), linger);
        let (acknowledgements, acknowledged) = mpsc::unbounded_channel();
        Self {
            log: log.clone(),
            service: settings.service,
            output: settings.output,
            max_in_flight: settings.max_in_flight,
            lanes,
            history: Some(history),
            live: None,
            lags,
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
            Some(answer) = self.asked.next() => Woken::Answered(answer),
            reading = next_of_the_past(&mut self.history, domain) => Woken::History(reading),
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
            Woken::Answered((token, Some((event, at)))) => {
                domain.answered(&event);
                self.publish(token, event, at, publisher);
            }
            Woken::Answered((token, None)) => self.finished(token),
            Woken::History(Some(Reading::Batch(batch))) => {
                batch.records.iter().for_each(|record| domain.fold(record));
                let Batch { topic, partition, next_offset, records, .. } = &batch;
                self.lanes.folded(*topic, *partition, *next_offset, records);
            }
            Woken::History(Some(Reading::CaughtUp)) => {
                let linger = self.log.fetch_linger;
                self.live = Some(Readers::start(&self.log, self.lanes.inputs(), linger));
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

    /// Puts a batch where work is taken from, in the order of the log.
    fn receive(&mut self, batch: Batch) {
        let Some(lane) = self.lanes.find(batch.topic, batch.partition) else { return };
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
                    self.lanes.begin(place(token).0, &record, domain.state().map(|state| &*state));
                    self.in_flight += 1;
                    self.begin_span(token, &record, now);
                    match domain.decide(&record, now) {
                        Decision::Nothing => self.finished(token),
                        Decision::Publish(event) => self.publish(token, event, None, publisher),
                        Decision::Ask(question) => {
                            let answer = question(self.trace(token))
                                .map(move |event| (token, event.map(|event| (event, None))));
                            self.asked.push(answer.boxed());
                        }
                        Decision::Later(answer) => {
                            let stamped = |Stamped { event, at }| (event, Some(at));
                            let answer = answer.map(move |known| (token, known.map(stamped)));
                            self.asked.push(answer.boxed());
                        }
                    }
                }
                Work::Unreadable(token, record) => {
                    self.lanes.begin_unreadable(place(token).0, &record);
                    self.in_flight += 1;
                    if buried_by(record.topic) == Some(self.output) {
                        let burial = bury(self.log.clone(), *record);
                        self.asked.push(burial.map(move |()| (token, None)).boxed());
                    } else {
                        self.finished(token);
                    }
                }
                Work::Passed(lane, next_offset) => self.lanes.pass(lane, next_offset),
            }
        }
    }

    fn finished(&mut self, token: Token) {
        let (lane, offset) = place(token);
        if self.lanes.finish(lane, offset) {
            self.in_flight -= 1;
            if let Some(span) = self.spans.remove(&token) {
                span.end(format!("{} process", self.service), self.log.clock.now(), false);
            }
        }
    }

    /// Only records of a trace have one.
    fn begin_span(&mut self, token: Token, record: &Received, now: Timestamp) {
        if record.trace.is_some() {
            let mut span = Span::under(record.trace, Kind::Consumer, now);
            span.attribute("order.id", record.event.order_id());
            span.attribute("messaging.destination.name", record.topic.name());
            self.spans.insert(token, span);
        }
    }

    /// What follows from the record belongs under this.
    fn trace(&self, token: Token) -> Option<TraceContext> {
        self.spans.get(&token).and_then(Span::context)
    }

    fn publish(
        &mut self,
        token: Token,
        event: Event,
        at: Option<Timestamp>,
        publisher: &Publisher,
    ) {
        let trace = self.trace(token);
        let (order, event_type) = (event.order_id(), event.event_type().name());
        info!(service = self.service, %order, event_type, trace = trace.map(display), "decided");
        let at = at.unwrap_or_else(|| self.log.clock.now());
        let outgoing = Outgoing::new(&event, at).traced(trace);
        match publisher.enqueue(outgoing, &self.acknowledgements, token) {
            Ok(()) => {}
            // Cannot happen while fewer records are in flight than the queue holds; still none is lost.
            Err(PublishError::Full) => {
                let again = async move {
                    tokio::time::sleep(FULL_PAUSE).await;
                    (token, Some((event, Some(at))))
                };
                self.asked.push(again.boxed());
            }
            // The record stays in flight, so that it is not committed and the next process does it.
            Err(error) => error!(%error, "an event could not be published"),
        }
    }

    /// Offsets that have moved since they were last asked for; none when nothing moved.
    pub(super) fn uncommitted(&mut self) -> Option<Offsets> {
        self.lanes.uncommitted()
    }

    /// How far each input is done with.
    pub(super) fn done(&self) -> Offsets {
        self.lanes.done()
    }

    /// The domain's state for a snapshot; nothing while its history is not in yet.
    pub(super) fn export<D: Domain>(&self, domain: &mut D) -> Option<Vec<Export>> {
        self.live.as_ref()?;
        domain.state().map(|state| self.lanes.export(state))
    }

    /// Records of the inputs that are not done with; shows them, partition by partition.
    pub(super) fn lag(&self) -> u64 {
        let done = |place| self.lanes.committable(place);
        self.live.as_ref().map_or(0, |live| self.lags.show(live.beyond(done)))
    }

    /// Records folded or decided so far.
    pub(super) const fn records(&self) -> u64 {
        self.lanes.records()
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

async fn next_of_the_past<D: Domain>(
    history: &mut Option<Readers>,
    domain: &mut D,
) -> Option<Reading> {
    domain.room().await;
    next(history).await
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
