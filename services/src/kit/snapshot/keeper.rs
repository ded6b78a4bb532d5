//! When snapshots are written, and which one a start goes on from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::anchors::{self, Deleted};
use super::cut::Cut;
use super::folder::{Folder, Place, Written};
use super::format::{Header, Snapshot};
use super::state::{Content, State, Unit};
use crate::kit::log::Log;
use crate::kit::metrics;

/// Entries put back between two pauses for the rest of the process.
const ENTRIES_AT_ONCE: usize = 20_000;

/// How often snapshots are written.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SnapshotArgs {
    /// Milliseconds between two snapshots of the service's state; 0 for none.
    #[arg(long, env = "SNAPSHOT_INTERVAL_MS", default_value_t = DEFAULT_INTERVAL_MS)]
    pub snapshot_interval_ms: u64,
    /// Records after which a snapshot is written before its time.
    #[arg(long, env = "SNAPSHOT_RECORDS", default_value_t = DEFAULT_RECORDS,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub snapshot_records: u64,
}

/// A minute of 1,000 orders a second is 180,000 records for a worker: folded again in well under a second.
const DEFAULT_INTERVAL_MS: u64 = 60_000;
const DEFAULT_RECORDS: u64 = 200_000;

/// One unit of a state, as it was at one moment.
pub(crate) struct Export {
    pub(crate) unit: Unit,
    pub(crate) cut: Cut,
    pub(crate) content: Arc<dyn Content>,
}

/// What a state began with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Where to read on; from the beginning where nothing is said.
    pub(crate) cut: Cut,
    /// Orders that snapshots brought.
    pub(crate) orders: u64,
    /// When the oldest of them was written, in microseconds since 1970.
    pub(crate) written_at_us: Option<i64>,
    /// Units for which no snapshot could be used, and why; empty when there simply was none.
    pub(crate) refused: Vec<String>,
    /// Units that begin with nothing.
    pub(crate) without: usize,
    /// Entries that made no sense, and were left out.
    pub(crate) strange: u64,
}

/// Where a process's snapshots are found.
#[derive(Clone)]
pub(crate) struct Finder {
    folder: Folder,
    service: &'static str,
    pub(crate) log: Log,
}

/// When a process's snapshots are written.
pub(crate) struct Keeper {
    pub(crate) finder: Finder,
    args: SnapshotArgs,
    written_at: Duration,
    written_records: u64,
    writing: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn new(
        folder: PathBuf,
        service: &'static str,
        log: &Log,
        args: SnapshotArgs,
    ) -> Self {
        let finder = Finder { folder: Folder::new(folder), service, log: log.clone() };
        let written_at = log.clock.monotonic();
        Self { finder, args, written_at, written_records: 0, writing: None }
    }

    /// Whether a snapshot is to be written now that so many records have been folded.
    pub(crate) fn is_due(&mut self, records: u64) -> bool {
        if self.args.snapshot_interval_ms == 0
            || self.writing.as_ref().is_some_and(|writing| !writing.is_finished())
        {
            return false;
        }
        // A new assignment counts anew.
        self.written_records = self.written_records.min(records);
        let interval = Duration::from_millis(self.args.snapshot_interval_ms);
        let new = records - self.written_records;
        let elapsed = self.finder.log.clock.monotonic().saturating_sub(self.written_at);
        new >= self.args.snapshot_records || new > 0 && elapsed >= interval
    }

    /// Writes `exports`, away from the reactor.
    pub(crate) fn write(&mut self, exports: Vec<Export>, records: u64) {
        self.written_at = self.finder.log.clock.monotonic();
        self.written_records = records;
        let folder = self.finder.folder.clone();
        let headers =
            exports.into_iter().map(|export| (self.finder.header(&export), export.content));
        let (exports, clock) = (headers.collect::<Vec<_>>(), self.finder.log.clock.clone());
        let service = self.finder.service;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let mut all = 0;
            for (header, content) in exports {
                let began = clock.monotonic();
                match folder.write(&header, &*content) {
                    Ok(Written { orders, size_bytes }) => {
                        let elapsed = clock.monotonic().saturating_sub(began);
                        info!(service, unit = ?header.unit, orders, size_bytes, ?elapsed, "snapshot");
                        metrics::SNAPSHOTS_WRITTEN.add_to(&[], 1);
                        metrics::SNAPSHOT_SECONDS.record_of(&[], elapsed);
                        all += orders;
                    }
                    Err(error) => {
                        error!(service, unit = ?header.unit, %error, "no snapshot could be written");
                        metrics::SNAPSHOT_FAILURES.add_to(&[], 1);
                    }
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 orders")]
            metrics::SNAPSHOT_ORDERS.set(all as f64);
        }));
    }

    /// Writes one snapshot in the place of all that there are of its unit: those before are not trusted any
    /// more.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) async fn replace(&mut self, export: Export) -> std::io::Result<()> {
        if let Some(writing) = self.writing.take() {
            // One under way would come after this one. Its own failure has been logged.
            let _ = writing.await;
        }
        let (folder, header) = (self.finder.folder.clone(), self.finder.header(&export));
        let replaced = tokio::task::spawn_blocking(move || {
            folder.remove(header.unit)?;
            folder.write(&header, &*export.content).map(drop)
        });
        replaced.await.map_err(std::io::Error::other)?
    }
}

impl Finder {
    fn header(&self, export: &Export) -> Header {
        Header {
            service: self.service.to_owned(),
            unit: export.unit,
            partitions: self.log.partitions,
            written_at_us: self.log.clock.now().timestamp_micros(),
            cut: export.cut.clone(),
        }
    }

    /// Puts into `state` what the newest usable snapshot of each unit holds. `fits` says what keeps one with
    /// these offsets from being used.
    pub(crate) async fn restore(
        &self,
        state: &mut dyn State,
        units: impl IntoIterator<Item = Unit>,
        fits: impl Fn(&Cut) -> Result<(), String>,
    ) -> Start {
        let mut start = Start::default();
        for unit in units {
            match self.find(unit, &fits, &mut start.refused).await {
                Some(snapshot) => self.put_back(state, unit, snapshot, &mut start).await,
                None => start.without += 1,
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 orders")]
        metrics::SNAPSHOT_ORDERS_RESTORED.set(start.orders as f64);
        start
    }

    /// Removes all snapshots of `unit`.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn remove(&self, unit: Unit) -> std::io::Result<()> {
        self.folder.remove(unit)
    }

    /// The newest usable snapshot of `unit`; why others were not is added to `refused`.
    pub(crate) async fn find(
        &self,
        unit: Unit,
        fits: impl Fn(&Cut) -> Result<(), String>,
        refused: &mut Vec<String>,
    ) -> Option<Snapshot> {
        for place in self.folder.list(unit) {
            let path = place.path.display().to_string();
            match self.examine(place, unit, &fits).await {
                Ok(snapshot) => return Some(snapshot),
                Err(reason) => {
                    warn!(service = self.service, path, reason, "a snapshot cannot be used");
                    metrics::SNAPSHOTS_REFUSED.add_to(&[], 1);
                    refused.push(format!("{path}: {reason}"));
                }
            }
        }
        None
    }

    async fn examine(
        &self,
        place: Place,
        unit: Unit,
        fits: impl Fn(&Cut) -> Result<(), String>,
    ) -> Result<Snapshot, String> {
        let read = tokio::task::spawn_blocking(move || Folder::read(&place)).await;
        let snapshot =
            read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let Header { service, unit: of, partitions, cut, .. } = &snapshot.header;
        if (service.as_str(), *of) != (self.service, unit) {
            return Err(format!("it is of {service}, {of:?}"));
        }
        if *partitions != self.log.partitions {
            return Err(format!("it is of topics with {partitions} partitions"));
        }
        fits(cut)?;
        anchors::recognise(&self.log, cut, Deleted::Fails).await?;
        Ok(snapshot)
    }

    async fn put_back(
        &self,
        state: &mut dyn State,
        unit: Unit,
        snapshot: Snapshot,
        start: &mut Start,
    ) {
        state.expect(unit, usize::try_from(snapshot.orders).unwrap_or(0));
        let mut strange = 0_u64;
        for (number, (order, entry)) in snapshot.entries().enumerate() {
            strange += u64::from(!state.restore(unit, order, entry));
            if number % ENTRIES_AT_ONCE == ENTRIES_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        if strange > 0 {
            error!(service = self.service, strange, "a snapshot holds entries that make no sense");
        }
        start.strange += strange;
        let written_at_us = snapshot.header.written_at_us;
        start.orders += snapshot.orders;
        start.cut.extend(snapshot.header.cut.iter().map(|(place, mark)| (*place, *mark)));
        start.written_at_us =
            Some(start.written_at_us.map_or(written_at_us, |at| at.min(written_at_us)));
        info!(
            service = self.service,
            ?unit,
            orders = snapshot.orders,
            size_bytes = snapshot.size_bytes(),
            "restored from a snapshot"
        );
    }
}
