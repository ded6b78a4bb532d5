//! The log's events, from the first one on, to the view.

use super::view::SharedView;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::process::Announcement;

/// Folds all topics, and says that the service is ready once it has caught up. Ends only when it fails.
pub(super) async fn follow(
    mut follower: Follower,
    view: &SharedView,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    while let Some(followed) = follower.next().await {
        match followed {
            Followed::Records(records) => {
                let mut view = view.lock();
                for record in &records {
                    view.fold(record);
                }
            }
            Followed::Connected(connected) => health.set_kafka_connected(connected),
            Followed::CaughtUp => {
                tracing::info!(unreadable = follower.unreadable(), "caught up with the log");
                health.set_ready();
                announcement.print()?;
            }
        }
    }
    anyhow::bail!("the log can no longer be followed")
}
