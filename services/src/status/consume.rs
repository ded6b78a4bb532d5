//! The log's events, from where a start found the state on, to the view.

use std::collections::VecDeque;

use contract::topics::Topic;
use tokio::time::MissedTickBehavior;

use super::SERVICE;
use super::kept::{MOST, Retirement};
use super::postgres::{Archive, Projector};
use super::view::SharedView;
use crate::kit::fed;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::log::Received;
use crate::kit::metrics::ORDERS_ENDED_IN_MEMORY;
use crate::kit::process::Announcement;
use crate::kit::snapshot::Start;
use crate::kit::worker::Upkeep;

/// Where orders go that have ended a while ago.
pub(super) enum Past {
    Tables(Tables),
    File(Retirement),
    /// All orders stay in memory.
    Nowhere,
}

/// The tables that keep the view.
pub(super) struct Tables {
    archive: Archive,
    projector: Projector,
    /// Ended orders that stay in memory.
    recent: usize,
    /// How many orders had ended, and how many events had been handed in by then.
    handed: VecDeque<(u64, u64)>,
    /// How many of the orders that had ended are in the tables.
    settled: u64,
}

impl Tables {
    pub(super) const fn new(archive: Archive, projector: Projector, recent: usize) -> Self {
        Self { archive, projector, recent, handed: VecDeque::new(), settled: 0 }
    }

    async fn take(&mut self, view: &SharedView, records: Vec<Received>) -> anyhow::Result<()> {
        let handed = self.projector.take(records).await?;
        self.handed.push_back((view.lock().ended.pushed(), handed));
        self.let_go(view);
        Ok(())
    }

    /// What is in the tables may leave memory.
    fn let_go(&mut self, view: &SharedView) {
        let mut view = view.lock();
        let written = self.projector.written();
        while let Some((ended, _)) = self.handed.front().filter(|(_, handed)| *handed <= written) {
            self.settled = *ended;
            self.handed.pop_front();
        }
        for (order, shown) in view.leaving(self.recent, MOST, self.settled) {
            view.left(order, &shown, None);
        }
    }
}

impl Past {
    /// Brings those orders back that `records` go on with.
    async fn bring(&self, view: &SharedView, records: &[Received]) -> anyhow::Result<()> {
        match self {
            Self::Tables(Tables { archive, .. }) => Ok(archive.bring(view, records).await?),
            Self::File(_) | Self::Nowhere => Ok(()),
        }
    }

    /// Keeps what `records` were, which the view has taken in.
    async fn take(&mut self, view: &SharedView, records: Vec<Received>) -> anyhow::Result<()> {
        match self {
            Self::Tables(tables) => tables.take(view, records).await?,
            Self::File(retirement) => retirement.after_records(view).await,
            Self::Nowhere => (),
        }
        Ok(())
    }

    async fn tick(&mut self, view: &SharedView) {
        match self {
            Self::Tables(tables) => tables.let_go(view),
            Self::File(retirement) => retirement.tick(view).await,
            Self::Nowhere => (),
        }
        #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 orders")]
        ORDERS_ENDED_IN_MEMORY.set(view.lock().ended_in_memory() as f64);
    }
}

/// Folds all topics, and says that the service is ready once it has caught up. Ends only when it fails.
///
/// Begins where `start` says, with what stands in `view` by then.
pub(super) async fn follow(
    mut upkeep: Upkeep,
    start: Start,
    mut past: Past,
    view: &SharedView,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    let log = upkeep.keeper.finder.log.clone();
    let mut follower = Follower::start(&log, &Topic::ALL, start.cut.clone()).with_lag(SERVICE);
    let mut announcement = Some(announcement);
    let mut tick = tokio::time::interval(fed::TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            followed = follower.next() => match followed {
                Some(Followed::Records(records)) => take(view, &mut past, records).await?,
                Some(Followed::Connected(connected)) => health.set_kafka_connected(connected),
                Some(Followed::CaughtUp) => {
                    tracing::info!(unreadable = follower.unreadable(), "caught up with the log");
                    health.set_ready();
                    if let Some(announcement) = announcement.take() {
                        fed::caught_up(&upkeep, &start, &follower);
                        announcement.print()?;
                    }
                }
                None => anyhow::bail!("the log can no longer be followed"),
            },
            _ = tick.tick() => {
                past.tick(view).await;
                fed::tick(&mut upkeep, view, &follower, health.is_ready());
            }
            Some(request) = upkeep.mailbox.recv() => {
                let ready = health.is_ready();
                // What came since is read again: repeats change nothing, and mended orders need it.
                if let Some(cut) = fed::serve(request, &mut upkeep, view, &follower, ready).await {
                    follower = Follower::start(&log, &Topic::ALL, cut).with_lag(SERVICE);
                }
            }
        }
    }
}

async fn take(view: &SharedView, past: &mut Past, records: Vec<Received>) -> anyhow::Result<()> {
    past.bring(view, &records).await?;
    {
        let mut view = view.lock();
        records.iter().for_each(|record| view.fold(record));
    }
    past.take(view, records).await
}
