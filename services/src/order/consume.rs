//! The log's orders, from the first one on, to the domain.

use contract::events::Event;
use contract::http::CreateOrderRequest;

use super::create::Desk;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::log::Received;
use crate::kit::process::Announcement;

/// Folds `orders`, and says that the service is ready once it has caught up. Ends only when it fails.
pub(super) async fn follow(
    mut follower: Follower,
    desk: &Desk,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    while let Some(followed) = follower.next().await {
        match followed {
            Followed::Records(records) => fold(desk, &records),
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

fn fold(desk: &Desk, records: &[Received]) {
    let mut orders = desk.orders();
    for record in records {
        if let Event::Order(created) = &record.event {
            let order =
                CreateOrderRequest { product_id: created.product_id, quantity: created.quantity };
            orders.fold(created.order_id, &order);
        }
    }
}
