//! The projection in PostgreSQL: orders, events and shipments, which survive restarts.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rows`] | events as rows; pure |
//! | [`project`] | a batch of events and its offsets as one transaction |
//! | [`projector`] | the task that gathers batches |
//! | [`history`] | reading orders back |
//!
//! Sockets and reads are served from memory as far as it goes: orders that are open, watched or have ended
//! lately. The others are read from the tables. Several instances write one projection: whoever
//! has locked the offsets first writes an event, and the others skip it.

mod history;
mod project;
mod projector;
mod rows;

use anyhow::anyhow;
use contract::ids::OrderId;
use tokio::sync::{mpsc, oneshot};

use self::history::{ReadOpen, ReadOrders, serve};
use self::project::Begin;
use super::view::{Past, SharedView};
use crate::kit::log::{Log, Received};
use crate::kit::postgres::migrations::{Migrate, Migration};
use crate::kit::postgres::{Database, DatabaseError, Probe};
use crate::kit::snapshot::Cut;
use crate::kit::snapshot::anchors::{self, Deleted};

pub(super) use self::projector::Projector;

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "projection",
        sql: include_str!("../../migrations/status/0001_projection.sql"),
    },
    Migration {
        version: 2,
        name: "anchors",
        sql: include_str!("../../migrations/status/0002_anchors.sql"),
    },
];

/// Reads that may wait to be made together.
const WAITING_READS: usize = 1_024;

type Answer = oneshot::Sender<Result<Vec<Past>, DatabaseError>>;

/// Orders that are not in memory. Cheap to clone.
#[derive(Clone)]
pub(super) struct Archive {
    database: Database,
    reads: mpsc::Sender<(OrderId, Answer)>,
}

impl Archive {
    pub(super) fn new(database: Database) -> (Self, Probe) {
        let (reads, asked) = mpsc::channel(WAITING_READS);
        tokio::spawn(serve(database.clone(), asked));
        let probe = database.probe();
        (Self { database, reads }, probe)
    }

    /// Everything that the table holds of an order, as it was seen; nothing when it knows none.
    ///
    /// # Errors
    /// When the database cannot tell.
    pub(super) async fn read(&self, order: OrderId) -> Result<Vec<Past>, DatabaseError> {
        let (answer, read) = oneshot::channel();
        let closed = || DatabaseError::Unavailable("nobody reads any more".to_owned());
        self.reads.send((order, answer)).await.map_err(|_| closed())?;
        read.await.map_err(|_| closed())?
    }

    /// Brings the tables up to date and what has not ended into memory; how far the log is projected.
    ///
    /// # Errors
    /// When the tables are no use.
    pub(super) async fn prepare(&self, view: &SharedView, partitions: i32) -> anyhow::Result<Cut> {
        let mut migrate = Migrate { owner: "status", migrations: MIGRATIONS };
        let applied = self.database.persist(&mut migrate).await?;
        let places = self.database.persist(&mut Begin { partitions }).await?;
        let open = self.database.persist(&mut ReadOpen).await?;
        tracing::info!(applied, events = open.len(), "the tables are up to date");
        view.lock().recall(open);
        Ok(places)
    }

    /// Starts to project what follows `places`.
    pub(super) fn project(&self, places: Cut) -> Projector {
        Projector::start(self.database.clone(), places)
    }

    /// Brings those orders into memory that `records` go on with, as far as they are not there.
    ///
    /// # Errors
    /// When the tables are no use.
    pub(super) async fn bring(
        &self,
        view: &SharedView,
        records: &[Received],
    ) -> Result<(), DatabaseError> {
        let orders: Vec<OrderId> = {
            let view = view.lock();
            let ids = records.iter().map(|record| record.event.order_id());
            ids.filter(|order| view.order(*order).is_none()).collect()
        };
        if !orders.is_empty() {
            let history = self.database.persist(&mut ReadOrders::of(&orders)).await?;
            view.lock().recall(history);
        }
        Ok(())
    }
}

/// Makes sure that the tables stand for this log, and for no other one.
///
/// # Errors
/// They do not: their offsets would hide what this one holds.
pub(super) async fn recognise(log: &Log, places: &Cut) -> anyhow::Result<()> {
    anchors::recognise(log, places, Deleted::Passes).await.map_err(|reason| {
        anyhow!(
            "the tables of the status service were filled from another log: {reason}; give --kafka the one that \
             they belong to, or --database an empty schema"
        )
    })
}
