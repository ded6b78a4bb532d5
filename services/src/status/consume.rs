//! The log's events, from the first one on, to the view.

use contract::topics::Topic;
use tokio::time::MissedTickBehavior;

use super::SERVICE;
use super::view::SharedView;
use crate::kit::fed;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::process::Announcement;
use crate::kit::snapshot::{Cut, Start};
use crate::kit::worker::Upkeep;

/// Folds all topics, and says that the service is ready once it has caught up. Ends only when it fails.
pub(super) async fn follow(
    mut upkeep: Upkeep,
    view: &SharedView,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    let log = upkeep.keeper.finder.log.clone();
    let mut follower = Follower::start(&log, &Topic::ALL, Cut::new()).with_lag(SERVICE);
    let mut announcement = Some(announcement);
    let mut tick = tokio::time::interval(fed::TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            followed = follower.next() => match followed {
                Some(Followed::Records(records)) => {
                    let mut view = view.lock();
                    records.iter().for_each(|record| view.fold(record));
                }
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
