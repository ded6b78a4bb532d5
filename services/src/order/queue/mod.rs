//! The local queue (specification §9.1): orders that were answered 201 and wait for Kafka.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | one order as bytes, and finding orders between damaged bytes; pure |
//! | [`files`] | the folder: lock, segments, the memory of how far it is drained |
//! | [`recovery`] | what a predecessor left: torn tails, damage |
//! | [`store`] | segments: append and sync, read, acknowledge, delete |
//! | [`writer`] | the one thread that does all of this, with group commit |

mod files;
mod record;
mod recovery;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use contract::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use record::{Entry, Record};
use store::Store;
use writer::{Append, Command};

use crate::kit::clock::Clock;

/// Orders that may wait for the disk: more than arrive while it syncs once.
const WAITING_FOR_DISK: usize = 16 * 1024;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueSettings {
    pub(crate) max_orders: u64,
    pub(crate) max_bytes: u64,
}

/// Why an order could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("the queue of orders that wait for Kafka is full")]
    Full,
    #[error("the order could not be written to disk: {0}")]
    Unwritable(String),
}

impl QueueError {
    /// For metrics.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

/// What the thread and its askers both know.
#[derive(Debug, Default)]
struct Shared {
    /// Kept, and not yet on their way to the log.
    ahead: watch::Sender<u64>,
    /// Of those on their way, which one at a time sends, how many have not been settled.
    departed: AtomicU64,
    depth: AtomicU64,
    bytes: AtomicU64,
    /// In microseconds since 1970; 0 while nothing waits.
    oldest: AtomicI64,
}

impl Shared {
    fn tell(&self, store: &Store) {
        self.depth.store(store.depth(), Ordering::Relaxed);
        self.bytes.store(store.bytes(), Ordering::Relaxed);
        let oldest = store.oldest().map_or(0, |at| at.timestamp_micros());
        self.oldest.store(oldest, Ordering::Relaxed);
    }
}

/// Orders that wait, in the order in which they came. What it has taken in outlives a power cut.
#[derive(Debug)]
pub(crate) struct Queue {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl Queue {
    /// Opens the queue in `folder`. `each` sees every order that waits from before. Blocks on the disk.
    ///
    /// # Errors
    /// The folder cannot be used, or another process uses it.
    pub(crate) fn open(
        folder: &Path,
        settings: QueueSettings,
        clock: Clock,
        each: impl FnMut(&Record),
    ) -> anyhow::Result<Self> {
        let store = Store::open(folder, settings, each)?;
        let shared = Arc::new(Shared::default());
        shared.tell(&store);
        shared.ahead.send_replace(store.depth());
        let (commands, orders) = mpsc::channel(WAITING_FOR_DISK);
        writer::start(store, clock, orders, Arc::clone(&shared))?;
        Ok(Self { commands, shared })
    }

    /// Keeps an order until it stands in the log. Returns when it is safe.
    ///
    /// # Errors
    /// [`QueueError`]. After one that could not be written nobody knows whether it was kept.
    pub(crate) async fn append(&self, entry: Entry) -> Result<(), QueueError> {
        let (answer, kept) = oneshot::channel();
        let sent = self.commands.try_send(Command::Append(Append { entry, answer }));
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => QueueError::Full,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        kept.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// How many orders were promised and are not even on their way to the log: whoever comes now comes
    /// after them.
    pub(crate) fn ahead(&self) -> u64 {
        *self.shared.ahead.borrow()
    }

    /// Waits until there are some.
    pub(crate) async fn some_ahead(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.ahead.subscribe().wait_for(|ahead| *ahead > 0).await;
    }

    /// Waits until there are none.
    pub(crate) async fn none_ahead(&self) {
        let _ = self.shared.ahead.subscribe().wait_for(|ahead| *ahead == 0).await;
    }

    /// Hands out up to `limit` orders, oldest first; none when all are handed out. They stay in the queue.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn next(&self, limit: usize) -> io::Result<Vec<Record>> {
        let (answer, records) = oneshot::channel();
        let ended = |_| io::Error::other("the queue's thread has ended");
        self.commands.send(Command::Read(limit, answer)).await.map_err(|_| ended(()))?;
        records.await.map_err(|_| ended(()))?
    }

    /// `count` orders, just handed out, are on their way to the log: others may follow them.
    pub(crate) fn departed(&self, count: usize) {
        self.shared.departed.fetch_add(count as u64, Ordering::Relaxed);
        self.shared.ahead.send_modify(|ahead| *ahead = ahead.saturating_sub(count as u64));
    }

    /// The first `count` of those that departed stand in the log; the others wait again.
    pub(crate) async fn arrived(&self, count: usize) {
        let departed = self.shared.departed.swap(0, Ordering::Relaxed);
        let failed = departed.saturating_sub(count as u64);
        let (answer, done) = oneshot::channel();
        if self.commands.send(Command::Acknowledge(count, answer)).await.is_ok() {
            // The thread ends only with the process.
            let _ = done.await;
        }
        // Only now can they be handed out again.
        self.shared.ahead.send_if_modified(|ahead| {
            *ahead += failed;
            failed > 0
        });
    }

    /// Orders that wait or are on their way.
    pub(crate) fn depth(&self) -> u64 {
        self.shared.depth.load(Ordering::Relaxed)
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// When the oldest of them was ordered.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let micros = self.shared.oldest.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_timestamp_micros(micros))?
    }
}

fn stopped() -> QueueError {
    QueueError::Unwritable("the queue's thread has ended".to_owned())
}
