//! The task that writes the projection: what gathers while a transaction runs is the next one.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::project::{Places, Project, next_places};
use crate::kit::log::Received;
use crate::kit::postgres::Database;

/// Nobody waits for the projection, since memory is ahead of it: events gather, and cost less each.
const LINGER: Duration = Duration::from_millis(100);

/// Fetches that may wait: beyond these the log is not read on, so that memory stays bounded while the
/// database is away.
const WAITING_BATCHES: usize = 64;

/// Events in one transaction, but for the last fetch of it.
const MAX_BATCH: usize = 2_000;

/// Where events are handed in.
pub(in crate::status) struct Projector {
    queue: mpsc::Sender<Vec<Received>>,
    failure: oneshot::Receiver<String>,
}

impl Projector {
    /// Starts the task; `places` is where the tables stand.
    pub(super) fn start(database: Database, places: Places) -> Self {
        let (queue, batches) = mpsc::channel(WAITING_BATCHES);
        let (tell, failure) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(reason) = project(database, places, batches).await {
                // Without anybody to tell, the service is ending anyway.
                let _ = tell.send(reason);
            }
        });
        Self { queue, failure }
    }

    /// Hands in what a fetch brought. Waits while too much waits already.
    ///
    /// # Errors
    /// When the tables can no longer be written: why.
    pub(in crate::status) async fn take(&mut self, records: Vec<Received>) -> anyhow::Result<()> {
        if self.queue.send(records).await.is_ok() {
            return Ok(());
        }
        let reason = (&mut self.failure).await.unwrap_or_default();
        anyhow::bail!("the tables cannot be written: {reason}")
    }
}

async fn project(
    database: Database,
    mut places: Places,
    mut batches: mpsc::Receiver<Vec<Received>>,
) -> Result<(), String> {
    while let Some(mut records) = batches.recv().await {
        tokio::time::sleep(LINGER).await;
        while records.len() < MAX_BATCH
            && let Ok(more) = batches.try_recv()
        {
            records.extend(more);
        }
        let mut work = Project { places: &places, records: &records };
        database.persist(&mut work).await.map_err(|error| error.to_string())?;
        places.extend(next_places(&records));
    }
    Ok(())
}
