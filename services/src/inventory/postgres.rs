//! The inventory in PostgreSQL: several instances share the stock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`batch`] | what a batch of records does to the tables; pure |
//! | [`tables`] | a batch as one transaction |
//! | [`writer`] | the task that gathers batches |
//! | [`shelf`] | the stock for those who ask |
//!
//! The table decides about an order once, and tells everybody who asks the same, to the byte: so instances
//! that decide about one order, as when its partition moves, publish identical events, and the log's first
//! record says what the table says. The tables remain a fold of the log all the same: its records are read
//! back, and where it says something else (it is older than the tables), it is right.

mod batch;
mod shelf;
mod tables;
mod writer;

use std::sync::Arc;

use contract::Timestamp;
use futures_util::FutureExt;
use tokio::sync::oneshot;

pub(super) use self::shelf::Shelf;
use self::tables::{Begin, Places};
use self::writer::Writer;
use super::StartingStock;
use crate::kit::clock::Clock;
use crate::kit::log::Received;
use crate::kit::postgres::migrations::{Migrate, Migration};
use crate::kit::postgres::{Database, Probe};
use crate::kit::snapshot::{Cut, Mark};
use crate::kit::worker::{Decision, Domain};

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "stock",
    sql: include_str!("../../migrations/inventory/0001_stock.sql"),
}];

/// The inventory between records, in tables.
pub(super) struct TableInventory {
    database: Database,
    starting: StartingStock,
    writer: Writer,
    places: Places,
    pub(super) shelf: Arc<Shelf>,
    _probe: Probe,
}

impl TableInventory {
    /// The receiver hears why the tables can no longer be written, if that ever is.
    pub(super) fn new(
        database: Database,
        starting: StartingStock,
        clock: Clock,
    ) -> (Self, oneshot::Receiver<String>) {
        let (writer, failure) = Writer::start(database.clone());
        let shelf = Arc::new(Shelf::new(database.clone(), clock));
        let (places, _probe) = (Places::new(), database.probe());
        (Self { database, starting, writer, places, shelf, _probe }, failure)
    }
}

impl Domain for TableInventory {
    async fn prepare(&mut self) -> anyhow::Result<()> {
        let mut migrate = Migrate { owner: "inventory", migrations: MIGRATIONS };
        let applied = self.database.persist(&mut migrate).await?;
        self.places = self.database.persist(&mut Begin { stock: self.starting }).await?;
        tracing::info!(applied, "the tables are up to date");
        Ok(())
    }

    fn folded(&self) -> Cut {
        let mark = |next: &i64| Mark { next_offset: *next, anchor: None };
        self.places.iter().map(|(place, next)| (*place, mark(next))).collect()
    }

    /// The tables are the state, and other instances go on with them.
    fn reset(&mut self) {}

    async fn room(&mut self) {
        self.writer.room().await;
    }

    fn fold(&mut self, record: &Received) {
        let next = self.places.entry((record.topic, record.partition)).or_insert(0);
        *next = record.offset.saturating_add(1).max(*next);
        self.writer.fold(record);
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        let answer = self.writer.decide(record, now);
        // A writer that ended is the end of the service: until then the record stays in flight.
        Decision::Later(
            async {
                match answer.await {
                    Ok(answer) => answer,
                    Err(_) => std::future::pending().await,
                }
            }
            .boxed(),
        )
    }
}
