//! Reading partitions: one task each, all of a process on the same beat.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contract::topics::Topic;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::log::{Fetched, Log, LogError, PartitionLog, Received};
use super::metrics::{EVENTS_READ, STAGE_SECONDS, UNKNOWN_TYPES};
use super::record::{Decoded, Unreadable, decode};

/// How long a fetch waits at the broker when there is nothing to bring.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Batches that may wait for their consumer: beyond these the readers stop fetching.
const WAITING_BATCHES: usize = 64;

/// Pause after a failed fetch, doubled up to the maximum while the failures go on.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to read of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    /// The first offset wanted.
    pub(crate) from: i64,
    /// Stop before this offset; without one, go on for ever.
    pub(crate) until: Option<i64>,
}

/// Records of one partition, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) records: Vec<Received>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// One past the last offset of this batch, records of unknown types included.
    pub(crate) next_offset: i64,
}

/// What readers say.
#[derive(Debug)]
pub(crate) enum Reading {
    Batch(Batch),
    /// Once: every span has been read up to the high watermark that it had at the start.
    CaughtUp,
    /// Whether every reader has its broker. Said when it changes; at the start they have.
    Connected(bool),
}

/// Readers of several partitions. Dropping them ends them.
pub(crate) struct Readers {
    inbox: mpsc::Receiver<Message>,
    behind: usize,
    cut_off: usize,
    ends: Vec<((Topic, i32), Arc<AtomicI64>)>,
    _tasks: JoinSet<()>,
}

enum Message {
    Batch(Batch),
    CaughtUp,
    Connected(bool),
}

impl Readers {
    /// Starts reading `spans`. After a fetch that brought something, a reader waits for the next beat
    /// of `linger`, which all readers of the process share: so records gather, and one waking of the
    /// process serves all partitions.
    pub(crate) fn start(log: &Log, spans: Vec<Span>, linger: Duration) -> Self {
        let (outbox, inbox) = mpsc::channel(WAITING_BATCHES);
        let behind = spans.len();
        let mut tasks = JoinSet::new();
        let mut ends = Vec::with_capacity(spans.len());
        for span in spans {
            let end = Arc::new(AtomicI64::new(0));
            ends.push(((span.topic, span.partition), Arc::clone(&end)));
            let reader = Reader { log: log.clone(), span, linger, outbox: outbox.clone(), end };
            tasks.spawn(reader.run());
        }
        Self { inbox, behind, cut_off: 0, ends, _tasks: tasks }
    }

    /// What is read.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Topic, i32)> {
        self.ends.iter().map(|(place, _)| *place)
    }

    /// How many records each partition holds, as far as is known, beyond what `done` says of it.
    pub(crate) fn beyond(
        &self,
        done: impl Fn((Topic, i32)) -> i64,
    ) -> impl Iterator<Item = ((Topic, i32), u64)> {
        self.ends.iter().map(move |(place, end)| {
            let beyond = end.load(Ordering::Relaxed) - done(*place);
            (*place, u64::try_from(beyond).unwrap_or(0))
        })
    }

    /// The next reading; `None` when every span has been read to its end.
    pub(crate) async fn next(&mut self) -> Option<Reading> {
        if self.behind == 0 {
            self.behind = usize::MAX;
            return Some(Reading::CaughtUp);
        }
        loop {
            match self.inbox.recv().await? {
                Message::Batch(batch) => return Some(Reading::Batch(batch)),
                Message::CaughtUp => {
                    self.behind -= 1;
                    if self.behind == 0 {
                        self.behind = usize::MAX;
                        return Some(Reading::CaughtUp);
                    }
                }
                Message::Connected(true) => {
                    self.cut_off -= 1;
                    if self.cut_off == 0 {
                        return Some(Reading::Connected(true));
                    }
                }
                Message::Connected(false) => {
                    self.cut_off += 1;
                    if self.cut_off == 1 {
                        return Some(Reading::Connected(false));
                    }
                }
            }
        }
    }
}

struct Reader {
    log: Log,
    span: Span,
    linger: Duration,
    outbox: mpsc::Sender<Message>,
    /// The high watermark as the last fetch told it.
    end: Arc<AtomicI64>,
}

impl Reader {
    /// Reads until the span ends or nobody listens any more.
    async fn run(self) {
        let mut place = Place { offset: self.span.from, target: None, caught_up: false };
        let mut partition = None;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.advance(&mut partition, &mut place).await {
                Ok(Flow::Go) => {
                    if pause != FIRST_PAUSE {
                        pause = FIRST_PAUSE;
                        self.say(Message::Connected(true)).await;
                    }
                }
                Ok(Flow::Stop) => return,
                Err(error) => {
                    let Span { topic, partition: number, .. } = self.span;
                    info!(topic = topic.name(), partition = number, %error, "reading failed");
                    partition = None;
                    if pause == FIRST_PAUSE {
                        self.say(Message::Connected(false)).await;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One fetch and what follows from it.
    async fn advance(
        &self,
        partition: &mut Option<Arc<dyn PartitionLog>>,
        place: &mut Place,
    ) -> Result<Flow, LogError> {
        if self.span.until.is_some_and(|until| place.offset >= until) {
            return Ok(self.finish(place).await);
        }
        let source = match partition {
            Some(source) => Arc::clone(source),
            None => {
                let source =
                    self.log.driver.open(self.span.topic.name(), self.span.partition).await?;
                Arc::clone(partition.insert(source))
            }
        };
        // Before it has caught up, an empty partition must say so at once.
        let wait = if place.caught_up { MAX_WAIT } else { Duration::ZERO };
        let fetched = match source.fetch(place.offset, wait).await {
            Ok(fetched) => fetched,
            Err(LogError::OffsetOutOfRange) => return self.restart(&*source, place).await,
            Err(error) => return Err(error),
        };
        Ok(self.deliver(fetched, place).await)
    }

    /// The log no longer holds, or does not yet hold, what was asked for: go on with its oldest record.
    async fn restart(
        &self,
        source: &dyn PartitionLog,
        place: &mut Place,
    ) -> Result<Flow, LogError> {
        let earliest = source.earliest().await?;
        if earliest == place.offset {
            return Err(LogError::OffsetOutOfRange);
        }
        let Span { topic, partition, .. } = self.span;
        warn!(
            topic = topic.name(),
            partition,
            from = place.offset,
            to = earliest,
            "offset is gone"
        );
        place.offset = earliest;
        Ok(Flow::Go)
    }

    async fn deliver(&self, fetched: Fetched, place: &mut Place) -> Flow {
        let high_watermark = fetched.high_watermark;
        self.end.store(high_watermark, Ordering::Relaxed);
        let target = *place.target.get_or_insert(high_watermark);
        let brought = !fetched.records.is_empty();
        if brought {
            let batch = self.decode(fetched, place);
            self.measure(&batch, place);
            if self.outbox.send(Message::Batch(batch)).await.is_err() {
                return Flow::Stop;
            }
        }
        if !place.caught_up && place.offset >= target {
            place.caught_up = true;
            if self.outbox.send(Message::CaughtUp).await.is_err() {
                return Flow::Stop;
            }
        }
        if brought && place.offset >= high_watermark {
            self.next_beat().await;
        }
        Flow::Go
    }

    fn decode(&self, fetched: Fetched, place: &mut Place) -> Batch {
        let Span { topic, partition, until, .. } = self.span;
        let mut records = Vec::with_capacity(fetched.records.len());
        let mut unreadable = Vec::new();
        for (offset, record) in fetched.records {
            if until.is_some_and(|until| offset >= until) {
                place.offset = offset;
                break;
            }
            place.offset = offset + 1;
            match decode(topic, partition, offset, record) {
                Decoded::Event(received) => records.push(*received),
                Decoded::Unreadable(record) => unreadable.push(*record),
                Decoded::UnknownType(name) => self.unknown_type(&name, offset),
            }
        }
        Batch { topic, partition, records, unreadable, next_offset: place.offset }
    }

    /// A newer producer's: counted, and told once for each type.
    fn unknown_type(&self, name: &str, offset: i64) {
        let Span { topic, partition, .. } = self.span;
        UNKNOWN_TYPES.add_to(&[("topic", topic.name())], 1);
        if self.log.unknown_types.is_new(topic, name) {
            info!(topic = topic.name(), partition, offset, name, "unknown event type: ignored");
        }
    }

    /// What was read while catching up happened long ago: it says nothing about the pipeline.
    fn measure(&self, batch: &Batch, place: &Place) {
        let label = [("topic", batch.topic.name())];
        EVENTS_READ.add_to(&label, batch.records.len() as u64);
        if place.caught_up {
            let now = self.log.clock.now();
            for record in &batch.records {
                // Another machine's clock may be ahead of ours.
                let took = (now - record.timestamp).to_std().unwrap_or_default();
                STAGE_SECONDS.record_of(&label, took);
            }
        }
    }

    /// The span's end, which counts as caught up however little it held.
    async fn finish(&self, place: &mut Place) -> Flow {
        if !place.caught_up {
            place.caught_up = true;
            self.say(Message::CaughtUp).await;
        }
        Flow::Stop
    }

    /// Waits for the next beat that all readers of this process share.
    async fn next_beat(&self) {
        let beat = self.linger.as_micros();
        if beat > 0 {
            let rest = beat - self.log.clock.monotonic().as_micros() % beat;
            tokio::time::sleep(Duration::from_micros(u64::try_from(rest).unwrap_or(0))).await;
        }
    }

    /// Tells the consumer; one that is gone ends this task soon enough.
    async fn say(&self, message: Message) {
        let _gone = self.outbox.send(message).await;
    }
}

/// How far a reader is.
struct Place {
    /// Wanted next.
    offset: i64,
    /// The high watermark at the start.
    target: Option<i64>,
    caught_up: bool,
}

enum Flow {
    Go,
    Stop,
}
