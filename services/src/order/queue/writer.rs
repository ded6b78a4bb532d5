//! The thread that does the queue's disk work, so that a slow disk never stops the reactor.
//!
//! Group commit: what gathers while one sync runs is written and synced together by the next.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::record::{Entry, Record, framed};
use super::store::Store;
use super::{QueueError, Shared};
use crate::kit::clock::Clock;
use crate::kit::metrics::QUEUE_COMMIT_SECONDS;

/// What the thread is asked.
pub(super) enum Command {
    Append(Append),
    /// Up to so many orders that have not been handed out.
    Read(usize, oneshot::Sender<io::Result<Vec<Record>>>),
    /// So many of those handed out stand in the log; the others are handed out again.
    Acknowledge(usize, oneshot::Sender<()>),
}

/// An order that is to be kept.
pub(super) struct Append {
    pub(super) entry: Entry,
    pub(super) answer: oneshot::Sender<Result<(), QueueError>>,
}

/// Commands that are taken together.
const TOGETHER: usize = 4096;

/// Starts the thread. It ends when nobody can ask it any more.
///
/// # Errors
/// The operating system refuses a thread.
pub(super) fn start(
    store: Store,
    clock: Clock,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name("order-queue".into())
        .spawn(move || Writer { store, clock, shared }.run(commands))
        .context("cannot start the thread of the queue")?;
    Ok(())
}

struct Writer {
    store: Store,
    clock: Clock,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut together = Vec::new();
        while commands.blocking_recv_many(&mut together, TOGETHER) > 0 {
            let mut appends = Vec::new();
            let mut others = Vec::new();
            for command in together.drain(..) {
                match command {
                    Command::Append(append) => appends.push(append),
                    other => others.push(other),
                }
            }
            self.commit(appends);
            for other in others {
                self.carry_out(other);
            }
        }
    }

    /// Whoever asked may have hung up since: the order is kept all the same.
    fn commit(&mut self, appends: Vec<Append>) {
        let mut entries = Vec::with_capacity(appends.len());
        let mut answers = Vec::with_capacity(appends.len());
        let mut bytes = 0;
        for Append { entry, answer } in appends {
            if self.store.has_room(entries.len(), bytes, entry.event.len()) {
                bytes += framed(entry.event.len());
                entries.push(entry);
                answers.push(answer);
            } else {
                let _ = answer.send(Err(QueueError::Full));
            }
        }
        if entries.is_empty() {
            return;
        }
        let began = self.clock.monotonic();
        let kept = self.store.append(&entries);
        QUEUE_COMMIT_SECONDS.record_of(&[], self.clock.monotonic() - began);
        let kept = kept.map_err(|error| {
            error!(%error, orders = entries.len(), "orders cannot be queued");
            QueueError::Unwritable(error.to_string())
        });
        // Before anybody is answered: whoever then asks for the depth finds it right.
        self.shared.tell(&self.store);
        if kept.is_ok() {
            self.shared.ahead.send_modify(|ahead| *ahead += entries.len() as u64);
        }
        for answer in answers {
            let _ = answer.send(kept.clone());
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Append(append) => self.commit(vec![append]),
            Command::Read(limit, answer) => {
                let records = self.store.read(limit);
                if records.as_ref().is_ok_and(Vec::is_empty) {
                    // Orders that damage has taken are waited for by nobody.
                    self.shared.ahead.send_replace(0);
                }
                let _ = answer.send(records);
            }
            Command::Acknowledge(count, answer) => {
                self.store.acknowledge(count);
                self.shared.tell(&self.store);
                let _ = answer.send(());
            }
        }
    }
}
