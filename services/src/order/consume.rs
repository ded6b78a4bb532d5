//! The log's orders, from the first one on, to the domain.

use std::net::SocketAddr;
use std::sync::Arc;

use contract::events::Event;
use contract::http::CreateOrderRequest;
use contract::topics::Topic;

use super::NAME;
use super::create::Desk;
use crate::kit::follower::{Followed, Follower};
use crate::kit::health::Health;
use crate::kit::log::{Log, Received};
use crate::kit::process::print_ready;

/// Folds `orders` for as long as the service lives; says that it is ready once it has caught up.
pub(super) fn follow(
    log: &Log,
    desk: Arc<Desk>,
    health: Arc<Health>,
    address: SocketAddr,
) -> impl Future<Output = ()> + use<> {
    let mut follower = Follower::start(log, &[Topic::Orders]);
    health.set_kafka_connected(true);
    async move {
        while let Some(followed) = follower.next().await {
            match followed {
                Followed::Records(records) => fold(&desk, &records),
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
