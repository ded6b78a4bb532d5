//! The log's events, from the first one on, to the view.

use super::postgres::{Archive, Projector};
use super::view::SharedView;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::process::Announcement;

/// Folds all topics, and says that the service is ready once it has caught up. Ends only when it fails.
///
/// With tables, orders that have left memory are brought back before they go on, and what is folded is
/// projected too.
pub(super) async fn follow(
    mut follower: Follower,
    tables: Option<(Archive, Projector)>,
    view: &SharedView,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    let (archive, mut projector) = tables.unzip();
    while let Some(followed) = follower.next().await {
        match followed {
            Followed::Records(records) => {
                if let Some(archive) = &archive {
                    archive.bring(view, &records).await?;
                }
                {
                    let mut view = view.lock();
                    for record in &records {
                        view.fold(record);
                    }
                }
                if let Some(projector) = &mut projector {
                    projector.take(records).await?;
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
