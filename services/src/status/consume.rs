//! The log's events, from the first one on, to the view.

use contract::topics::Topic;
use tokio::time::MissedTickBehavior;

use super::SERVICE;
use super::postgres::{Archive, Projector};
use super::view::SharedView;
use crate::kit::fed;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::log::Received;
use crate::kit::process::Announcement;
use crate::kit::snapshot::{Cut, Start};
use crate::kit::worker::Upkeep;

/// The tables that keep the view, and how far they stand for the log.
pub(super) struct Tables {
    pub(super) archive: Archive,
    pub(super) projector: Projector,
    pub(super) known: Cut,
}

/// Folds all topics, and says that the service is ready once it has caught up. Ends only when it fails.
///
/// With tables, orders that have left memory are brought back before they go on, and what is folded is
/// projected too.
pub(super) async fn follow(
    mut upkeep: Upkeep,
    mut tables: Option<Tables>,
    view: &SharedView,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    let log = upkeep.keeper.finder.log.clone();
    let known = tables.as_ref().map_or_else(Cut::new, |tables| tables.known.clone());
    let mut follower = Follower::start(&log, &Topic::ALL, known).with_lag(SERVICE);
    let mut announcement = Some(announcement);
    let mut tick = tokio::time::interval(fed::TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            followed = follower.next() => match followed {
                Some(Followed::Records(records)) => take(view, &mut tables, records).await?,
                Some(Followed::Connected(connected)) => health.set_kafka_connected(connected),
                Some(Followed::CaughtUp) => {
                    tracing::info!(unreadable = follower.unreadable(), "caught up with the log");
                    health.set_ready();
                    if let Some(announcement) = announcement.take() {
                        let start = Start { without: 1, ..Start::default() };
                        fed::caught_up(&upkeep, &start, &follower);
                        announcement.print()?;
                    }
                }
                None => anyhow::bail!("the log can no longer be followed"),
            },
            _ = tick.tick() => fed::tick(&mut upkeep, view, &follower),
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

async fn take(
    view: &SharedView,
    tables: &mut Option<Tables>,
    records: Vec<Received>,
) -> anyhow::Result<()> {
    if let Some(Tables { archive, .. }) = tables {
        archive.bring(view, &records).await?;
    }
    {
        let mut view = view.lock();
        records.iter().for_each(|record| view.fold(record));
    }
    match tables {
        Some(Tables { projector, .. }) => projector.take(records).await,
        None => Ok(()),
    }
}
