//! The log's events, from the first one on, to the view.

use std::net::SocketAddr;
use std::sync::Arc;

use super::NAME;
use super::view::SharedView;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::process::print_ready;

/// Folds all topics for as long as the service lives; says that it is ready once it has caught up.
pub(super) async fn follow(
    mut follower: Follower,
    view: Arc<SharedView>,
    health: Arc<Health>,
    address: SocketAddr,
) {
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
                health.set_ready();
                if let Err(error) = print_ready(NAME, address) {
                    tracing::warn!(%error, "nobody hears that the service is ready");
                }
            }
        }
    }
}
