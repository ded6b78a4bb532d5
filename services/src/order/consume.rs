//! The log's orders, from the first one on, to the domain.

use contract::events::{Event, OrderCreated};
use contract::http::CreateOrderRequest;

use super::create::Desk;
use super::domain::Orders;
use super::queue::Record;
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
            orders.fold(created.order_id, &ordered(created));
        }
    }
}

/// An order that was answered before this process began must be answered the same again.
pub(super) fn fold_queued<T: Clone>(orders: &mut Orders<T>, record: &Record) {
    // What cannot be read is told when its turn comes to be published.
    if let Ok(Event::Order(created)) = Event::decode(None, &record.entry.event) {
        orders.fold_queued(created.order_id, &ordered(&created));
    }
}

fn ordered(created: &OrderCreated) -> CreateOrderRequest {
    CreateOrderRequest { product_id: created.product_id, quantity: created.quantity }
}
