//! The log's orders, from the first one on, to the domain.

use contract::events::{Event, OrderCreated};
use contract::http::CreateOrderRequest;
use contract::topics::Topic;
use tokio::time::MissedTickBehavior;

use super::create::Desk;
use super::domain::Orders;
use super::known::KnownOrders;
use super::queue::Record;
use crate::kit::fed::{self, Fed};
use crate::kit::follower::Followed;
use crate::kit::health::Health;
use crate::kit::log::Received;
use crate::kit::process::Announcement;
use crate::kit::snapshot::{Content, State};
use crate::kit::worker::Upkeep;

/// Begins with the last snapshot, folds `orders` from there on, and says that the service is ready once it has caught up. Ends only when it fails.
pub(super) async fn follow(
    mut upkeep: Upkeep,
    desk: &Desk,
    health: &Health,
    announcement: Announcement,
) -> anyhow::Result<()> {
    let consumer = Topic::Orders.producer();
    let mut known = KnownOrders::default();
    let (mut follower, start) = fed::begin(&upkeep, &mut known, &[Topic::Orders], consumer).await;
    desk.orders().known().adopt(known);
    let mut tick = tokio::time::interval(fed::TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            followed = follower.next() => match followed {
                Some(Followed::Records(records)) => fold(desk, &records),
                Some(Followed::Connected(connected)) => health.set_kafka_connected(connected),
                Some(Followed::CaughtUp) => {
                    tracing::info!(unreadable = follower.unreadable(), "caught up with the log");
                    fed::caught_up(&upkeep, &start, &follower);
                    health.set_ready();
                    announcement.print()?;
                }
                None => anyhow::bail!("the log can no longer be followed"),
            },
            _ = tick.tick() => fed::tick(&mut upkeep, desk, &follower, health.is_ready()),
            Some(request) = upkeep.mailbox.recv() => {
                fed::serve(request, &mut upkeep, desk, &follower, health.is_ready()).await;
            }
        }
    }
}

impl Fed for Desk {
    fn with(&self, work: &mut dyn FnMut(&mut dyn State)) {
        work(self.orders().known());
    }

    fn replace(&self, content: &dyn Content, live: &dyn Content) {
        self.orders().known().replace(content, live);
    }
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
