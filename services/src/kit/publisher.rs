//! Appending events to one topic, batched by nature: what gathers while a request is under way goes
//! out with the next.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use contract::topics::{Topic, partition_for_key};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::lease::Lease;
pub(crate) use super::log::Position;
use super::log::{Log, LogError, PartitionLog, RawRecord};
use super::metrics::{APPENDS_HELD_BACK, EVENTS_PUBLISHED, PUBLISH_FAILURES, PUBLISH_SECONDS};
use super::record::Outgoing;

/// Records that may wait per partition: beyond these the caller is told [`PublishError::Full`].
const QUEUE: usize = 10_000;

/// Records in one request.
const MAX_BATCH: usize = 1_000;

/// Pause after a failed append, doubled up to the maximum while the failures go on.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How to publish.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PublisherSettings {
    /// How long a first record waits for others when nothing is under way.
    pub(crate) linger: Duration,
    /// How long [`Publisher::publish`] waits for the acknowledgement; without one, for ever.
    pub(crate) patience: Option<Duration>,
}

/// Why an event was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PublishError {
    /// It may be in the log or not.
    #[error("the log did not acknowledge the event in time")]
    TimedOut,
    /// Nor is it known after this one.
    #[error("the log is out of reach: {0}")]
    Unavailable(String),
    #[error("too many events wait for the log")]
    Full,
    #[error("the log refused the event: {0}")]
    Refused(String),
    #[error("the publisher is closed")]
    Closed,
}

/// What a caller of [`Publisher::enqueue`] tells its events apart by.
pub(crate) type Token = u64;

/// Where acknowledgements go: the tokens of one request together.
pub(crate) type Acknowledgements = mpsc::UnboundedSender<Vec<(Token, Position)>>;

/// Publishes to one topic. Cheap to clone; ends when the last clone is gone and its queue is empty.
#[derive(Clone)]
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    patience: Option<Duration>,
}

struct Shared {
    topic: Topic,
    queues: Vec<mpsc::Sender<Entry>>,
    failing: Arc<AtomicUsize>,
}

struct Entry {
    outgoing: Outgoing,
    reply: Reply,
}

enum Reply {
    Waiter(oneshot::Sender<Result<Position, PublishError>>),
    Token(Acknowledgements, Token),
}

impl Reply {
    /// Whether nobody waits for the acknowledgement any more.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Waiter(waiter) => waiter.is_closed(),
            Self::Token(acknowledgements, _) => acknowledgements.is_closed(),
        }
    }
}

impl Publisher {
    /// Starts one task for each partition of `topic`. With a `lease` it appends only while that holds.
    pub(crate) fn start(
        log: &Log,
        topic: Topic,
        settings: PublisherSettings,
        lease: Option<&Lease>,
    ) -> Self {
        let failing = Arc::new(AtomicUsize::new(0));
        let queues = (0..log.partitions).map(|partition| {
            let (sender, queue) = mpsc::channel(QUEUE);
            let failing = Arc::clone(&failing);
            let linger = settings.linger;
            let appender = Appender {
                log: log.clone(),
                topic,
                partition,
                linger,
                queue,
                target: None,
                failing,
                lease: lease.cloned(),
            };
            tokio::spawn(appender.run());
            sender
        });
        let shared = Shared { topic, queues: queues.collect(), failing };
        Self { shared: Arc::new(shared), patience: settings.patience }
    }

    /// Appends an event and waits until the log has it.
    ///
    /// # Errors
    /// As [`Self::send`]'s and [`Sent`]'s.
    pub(crate) async fn publish(&self, outgoing: Outgoing) -> Result<Position, PublishError> {
        let sent = self.send(outgoing)?;
        match self.patience {
            Some(patience) => {
                tokio::time::timeout(patience, sent).await.unwrap_or(Err(PublishError::TimedOut))
            }
            None => sent.await,
        }
    }

    /// Puts an event behind those that were sent before. It is tried once, for whoever waits in person
    /// has another way to go when it fails, and then those behind it fail as well: none overtakes it.
    ///
    /// # Errors
    /// [`PublishError::Full`], [`PublishError::Refused`] and [`PublishError::Closed`], at once.
    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<Sent, PublishError> {
        let (waiter, answer) = oneshot::channel();
        self.submit(outgoing, Reply::Waiter(waiter))?;
        Ok(Sent(answer))
    }

    /// Appends an event some time; `token` comes to `acknowledgements` when the log has it. It is tried
    /// until it succeeds, or until the receiver of the acknowledgements is gone.
    ///
    /// # Errors
    /// [`PublishError::Full`] and [`PublishError::Closed`], at once.
    pub(crate) fn enqueue(
        &self,
        outgoing: Outgoing,
        acknowledgements: &Acknowledgements,
        token: Token,
    ) -> Result<(), PublishError> {
        self.submit(outgoing, Reply::Token(acknowledgements.clone(), token))
    }

    /// Whether the last append to every partition went well.
    pub(crate) fn is_connected(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed) == 0
    }

    fn submit(&self, outgoing: Outgoing, reply: Reply) -> Result<(), PublishError> {
        let event_type = outgoing.event_type();
        if event_type.topic() != self.shared.topic {
            let (name, topic) = (event_type.name(), self.shared.topic.name());
            return Err(PublishError::Refused(format!("{name} does not belong on {topic}")));
        }
        let partitions = i32::try_from(self.shared.queues.len()).unwrap_or(i32::MAX);
        let partition = partition_for_key(outgoing.key().as_bytes(), partitions);
        let queue = usize::try_from(partition).ok().and_then(|index| self.shared.queues.get(index));
        let queue = queue.ok_or(PublishError::Closed)?;
        queue.try_send(Entry { outgoing, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Full,
            mpsc::error::TrySendError::Closed(_) => PublishError::Closed,
        })
    }
}

/// An event on its way: what becomes of it. Dropped, the event is not tried again.
pub(crate) struct Sent(oneshot::Receiver<Result<Position, PublishError>>);

impl Future for Sent {
    /// After [`PublishError::Unavailable`], or when nobody waited to the end, the event may still come to
    /// stand in the log; one that has not been sent by then never will be.
    type Output = Result<Position, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.map_err(|_| PublishError::Closed)?)
    }
}

/// Appends to one partition, one request at a time, so that records keep their order.
struct Appender {
    log: Log,
    topic: Topic,
    partition: i32,
    linger: Duration,
    queue: mpsc::Receiver<Entry>,
    target: Option<Arc<dyn PartitionLog>>,
    failing: Arc<AtomicUsize>,
    lease: Option<Lease>,
}

impl Appender {
    async fn run(mut self) {
        // Connecting now keeps the first record from waiting for it; a failure shows when it matters.
        let _later = self.target().await;
        let mut batch = Vec::new();
        while self.queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
            if !self.linger.is_zero() {
                tokio::time::sleep(self.linger).await;
            }
            while batch.len() < MAX_BATCH
                && let Ok(entry) = self.queue.try_recv()
            {
                batch.push(entry);
            }
            self.deliver(&mut batch).await;
        }
    }

    /// Tries until the whole batch is acknowledged, abandoned, or given back to those who wait for it.
    async fn deliver(&mut self, batch: &mut Vec<Entry>) {
        let (mut pause, mut failing) = (FIRST_PAUSE, false);
        loop {
            batch.retain(|entry| !entry.reply.is_abandoned());
            if batch.is_empty() {
                break;
            }
            let records: Vec<_> = batch.iter().map(|entry| entry.outgoing.record()).collect();
            let (count, began) = (records.len() as u64, self.log.clock.monotonic());
            let label = [("topic", self.topic.name())];
            let error = match self.append(records).await {
                Ok(base) => {
                    PUBLISH_SECONDS.record_of(&label, self.log.clock.monotonic() - began);
                    EVENTS_PUBLISHED.add_to(&label, count);
                    acknowledge(batch, self.partition, base);
                    break;
                }
                Err(error) => error,
            };
            PUBLISH_FAILURES.add_to(&label, 1);
            if !std::mem::replace(&mut failing, true) {
                self.failing.fetch_add(1, Ordering::Relaxed);
            }
            self.failed(&error, batch);
            if batch.is_empty() {
                // Whoever waited decides when it is tried again.
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if failing {
            self.failing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn failed(&mut self, error: &LogError, batch: &mut Vec<Entry>) {
        let (topic, partition) = (self.topic.name(), self.partition);
        if matches!(error, LogError::NoLease) {
            APPENDS_HELD_BACK.add(1);
            info!(topic, partition, "not appended: {error}");
            return;
        }
        self.target = None;
        let told = if let LogError::Refused(reason) = error {
            error!(topic, partition, reason, "the log refuses events");
            PublishError::Refused(reason.clone())
        } else {
            warn!(topic, partition, %error, "appending failed");
            PublishError::Unavailable(error.to_string())
        };
        for entry in std::mem::take(batch) {
            tell_waiter(entry, &told, batch);
        }
        // Whoever queued up behind them must not come before them when they try again.
        while batch.is_empty()
            && let Ok(entry) = self.queue.try_recv()
        {
            tell_waiter(entry, &told, batch);
        }
    }

    async fn append(&mut self, records: Vec<RawRecord>) -> Result<i64, LogError> {
        let target = self.target().await?;
        // Asked last: between the answer and the system call nothing is waited for.
        if self.lease.as_ref().is_some_and(|lease| !lease.holds(self.log.clock.monotonic())) {
            return Err(LogError::NoLease);
        }
        target.append(records).await
    }

    async fn target(&mut self) -> Result<Arc<dyn PartitionLog>, LogError> {
        if let Some(target) = &self.target {
            return Ok(Arc::clone(target));
        }
        let target = self.log.driver.open(self.topic.name(), self.partition).await?;
        Ok(Arc::clone(self.target.insert(target)))
    }
}

/// Tells everybody in `batch` where their events stand, workers once per request.
fn acknowledge(batch: &mut Vec<Entry>, partition: i32, base: i64) {
    let mut tokens: Vec<(Token, Position)> = Vec::new();
    let mut receiver: Option<Acknowledgements> = None;
    for (offset, entry) in (base..).zip(batch.drain(..)) {
        let position = Position { partition, offset };
        match entry.reply {
            // A waiter that is gone has given up: nothing to tell.
            Reply::Waiter(waiter) => drop(waiter.send(Ok(position))),
            Reply::Token(acknowledgements, token) => {
                if let Some(other) =
                    receiver.take_if(|other| !other.same_channel(&acknowledgements))
                {
                    drop(other.send(std::mem::take(&mut tokens)));
                }
                receiver.get_or_insert(acknowledgements);
                tokens.push((token, position));
            }
        }
    }
    if let Some(receiver) = receiver {
        drop(receiver.send(tokens));
    }
}

/// Those who wait in person are told; workers' events are tried again, for they must not be lost.
fn tell_waiter(entry: Entry, error: &PublishError, batch: &mut Vec<Entry>) {
    match entry.reply {
        Reply::Waiter(waiter) => drop(waiter.send(Err(error.clone()))),
        Reply::Token(..) => batch.push(entry),
    }
}
