//! The one task that changes the tables: what gathers while a transaction runs is the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::Timestamp;
use contract::topics::Topic;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::warn;

use super::batch::{Entry, Plan};
use super::tables::{Places, TakeIn};
use crate::kit::log::Received;
use crate::kit::postgres::{Database, LIMIT};
use crate::kit::worker::Stamped;

/// Records in one transaction.
const MAX_BATCH: usize = 1_000;

/// Records of the past that may wait: beyond these no more history is read.
const MAX_WAITING: usize = 10_000;

/// Records of the past that may be in hand at once because only all of them together make sense.
const MAX_HELD: usize = 1_000_000;

/// How long the rest of such records may take to come.
const HELD_PATIENCE: Duration = LIMIT;

/// A record on its way into the tables.
struct Request {
    entry: Entry,
    topic: Topic,
    partition: i32,
    offset: i64,
    reply: Option<oneshot::Sender<Option<Stamped>>>,
}

/// Where records are handed in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Request>,
    waiting: Arc<Waiting>,
}

/// How many records wait.
#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    fewer: Notify,
}

impl Writer {
    /// Starts the task. The receiver hears why it ended, if it ended early.
    pub(super) fn start(database: Database) -> (Self, oneshot::Receiver<String>) {
        let (queue, requests) = mpsc::unbounded_channel();
        let waiting = Arc::<Waiting>::default();
        let (tell, failure) = oneshot::channel();
        let task = Task { database, requests, waiting: Arc::clone(&waiting) };
        tokio::spawn(async move {
            if let Err(reason) = task.run().await {
                // Without anybody to tell, the service is ending anyway.
                let _ = tell.send(reason);
            }
        });
        (Self { queue, waiting }, failure)
    }

    /// Hands in a record of the past.
    pub(super) fn fold(&self, received: &Received) {
        self.hand_in(received, received.timestamp, None);
    }

    /// Hands in a record to decide about; the answer comes once the tables have it.
    pub(super) fn decide(
        &self,
        received: &Received,
        now: Timestamp,
    ) -> oneshot::Receiver<Option<Stamped>> {
        let (reply, answer) = oneshot::channel();
        self.hand_in(received, now, Some(reply));
        answer
    }

    fn hand_in(
        &self,
        received: &Received,
        at: Timestamp,
        reply: Option<oneshot::Sender<Option<Stamped>>>,
    ) {
        let entry = Entry { event: received.event.clone(), at };
        let Received { topic, partition, offset, .. } = *received;
        let request = Request { entry, topic, partition, offset, reply };
        self.waiting.count.fetch_add(1, Ordering::Relaxed);
        // Only the end of the process closes the queue.
        let _ = self.queue.send(request);
    }

    /// Waits until more of the past may be handed in.
    pub(super) async fn room(&self) {
        while self.waiting.count.load(Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fewer.notified().await;
        }
    }
}

struct Task {
    database: Database,
    requests: mpsc::UnboundedReceiver<Request>,
    waiting: Arc<Waiting>,
}

impl Task {
    /// Works until nobody can hand anything in.
    async fn run(mut self) -> Result<(), String> {
        let mut batch = Vec::new();
        while self.receive(&mut batch).await {
            let mut impossible = self.take_in(&mut batch).await?;
            // Records of the past come partition by partition: a release may be read after the sale that it
            // made possible. The rest of them is on its way.
            while let Some(reason) = impossible.take() {
                let more = tokio::time::timeout(HELD_PATIENCE, self.receive(&mut batch)).await;
                if batch.len() > MAX_HELD || !matches!(more, Ok(true)) {
                    return Err(reason);
                }
                impossible = self.take_in(&mut batch).await?;
            }
        }
        Ok(())
    }

    /// Adds what waits. False when nothing can come any more.
    async fn receive(&mut self, batch: &mut Vec<Request>) -> bool {
        let count = self.requests.recv_many(batch, MAX_BATCH).await;
        self.waiting.count.fetch_sub(count, Ordering::Relaxed);
        self.waiting.fewer.notify_one();
        count > 0
    }

    /// Takes the batch in and answers it; it is kept, with the reason, when that cannot be.
    async fn take_in(&self, batch: &mut Vec<Request>) -> Result<Option<String>, String> {
        let places = places(batch);
        let entries = batch.iter().map(|request| &request.entry).collect();
        let mut work = TakeIn { entries, places: &places };
        match self.database.persist(&mut work).await {
            Ok(Ok(plan)) => {
                answer(batch, plan);
                Ok(None)
            }
            Ok(Err(impossible)) => Ok(Some(impossible.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// How far a batch folds the log. Orders are not counted: Kafka keeps where those stand.
fn places(batch: &[Request]) -> Places {
    let mut places = BTreeMap::new();
    for Request { topic, partition, offset, .. } in batch {
        if *topic != Topic::Orders {
            let next = places.entry((*topic, *partition)).or_insert(0);
            *next = offset.saturating_add(1).max(*next);
        }
    }
    places
}

fn answer(batch: &mut Vec<Request>, plan: Plan) {
    for order in plan.overruled {
        warn!(%order, "the log overruled a decision: it is undone");
    }
    for (request, answer) in batch.drain(..).zip(plan.answers) {
        if let Some(reply) = request.reply {
            // The assignment that asked may be gone; whoever has the partition now asks again.
            let _ = reply.send(answer);
        }
    }
}
