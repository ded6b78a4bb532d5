//! The task that writes the projection: what gathers while a transaction runs is the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::project::{Project, next_places};
use crate::kit::log::Received;
use crate::kit::postgres::Database;
use crate::kit::snapshot::Cut;

/// Nobody waits for the projection, since memory is ahead of it: events gather, and cost less each.
const LINGER: Duration = Duration::from_millis(100);

/// Events that may wait: beyond these the log is not read on, so that memory stays bounded while the
/// database is away. Counted by event, since a fetch brings anything from one to thousands.
const WAITING_EVENTS: u32 = 20_000;

/// Events in one transaction, but for the last fetch of it.
const MAX_BATCH: usize = 2_000;

/// What a fetch brought, and its room among those that wait.
type Batch = (Vec<Received>, OwnedSemaphorePermit);

/// Where events are handed in.
pub(in crate::status) struct Projector {
    /// As long as there is room.
    queue: mpsc::UnboundedSender<Batch>,
    room: Arc<Semaphore>,
    /// Events handed in so far, and those of them that are in the tables.
    handed: u64,
    written: Arc<AtomicU64>,
    failure: oneshot::Receiver<String>,
}

impl Projector {
    /// Starts the task; `places` is where the tables stand.
    pub(super) fn start(database: Database, places: Cut) -> Self {
        let (queue, batches) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(WAITING_EVENTS as usize));
        let (tell, failure) = oneshot::channel();
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        tokio::spawn(async move {
            if let Err(reason) = project(database, places, batches, &count).await {
                // Without anybody to tell, the service is ending anyway.
                let _ = tell.send(reason);
            }
        });
        Self { queue, room, handed: 0, written, failure }
    }

    /// Events of those handed in that are in the tables.
    pub(in crate::status) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Hands in what a fetch brought; how many events that makes so far. Waits while too much waits already.
    ///
    /// # Errors
    /// When the tables can no longer be written: why.
    pub(in crate::status) async fn take(&mut self, records: Vec<Received>) -> anyhow::Result<u64> {
        let events = records.len() as u64;
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX).min(WAITING_EVENTS);
        let place = tokio::select! {
            biased;
            place = Arc::clone(&self.room).acquire_many_owned(count) => place.ok(),
            () = self.queue.closed() => None,
        };
        if place.is_some_and(|place| self.queue.send((records, place)).is_ok()) {
            self.handed += events;
            return Ok(self.handed);
        }
        let reason = (&mut self.failure).await.unwrap_or_default();
        anyhow::bail!("the tables cannot be written: {reason}")
    }
}

async fn project(
    database: Database,
    mut places: Cut,
    mut batches: mpsc::UnboundedReceiver<Batch>,
    written: &AtomicU64,
) -> Result<(), String> {
    while let Some((mut records, mut room)) = batches.recv().await {
        tokio::time::sleep(LINGER).await;
        while records.len() < MAX_BATCH
            && let Ok((more, place)) = batches.try_recv()
        {
            records.extend(more);
            room.merge(place);
        }
        let mut work = Project { places: &places, records: &records };
        database.persist(&mut work).await.map_err(|error| error.to_string())?;
        places.extend(next_places(&records));
        written.fetch_add(records.len() as u64, Ordering::Release);
        drop(room);
    }
    Ok(())
}
