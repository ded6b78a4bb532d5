//! The inventory: reserves pieces for orders, takes them out when paid, gives them back when the
//! payment failed. A single writer; its state is a fold of `inventory` and `payment`.

mod args;
mod domain;
mod http;
pub mod ledger;
pub mod stock;
mod view;

pub(crate) use self::http::Api;

use std::sync::Arc;

use axum::Router;
use contract::Timestamp;
use contract::process::port;
use contract::topics::Topic;
use tracing::warn;

pub use self::args::{Args, StartingStock};
use self::ledger::Ledger;
use self::stock::Stock;
use self::view::View;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::Received;
use crate::kit::process::Routes;
use crate::kit::publisher::PublisherSettings;
use crate::kit::service;
use crate::kit::worker::{Decision, Domain, WorkerSettings};

/// Decisions that wait for the log at once.
const MAX_IN_FLIGHT: usize = 2_000;

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = WorkerSettings {
        service: "inventory",
        instance: args.common.instance.clone(),
        inputs: &[Topic::Orders, Topic::Payment],
        remembered: &[Topic::Payment],
        output: Topic::Inventory,
        sharing: Sharing::SingleWriter,
        max_in_flight: MAX_IN_FLIGHT,
        publisher: PublisherSettings::default(),
    };
    service::run(&args.common, port::INVENTORY, settings, |process| {
        let inventory = Inventory::new(args.stock, process.clock.now());
        let routes = Routes {
            public: http::routes(Arc::clone(&inventory.view), Arc::clone(&process.health)),
            origins: Some(args.edge.origins()),
            management: Router::new(),
        };
        Ok((inventory, routes))
    })
    .await
}

/// The inventory's state between records.
struct Inventory {
    starting: StartingStock,
    ledger: Arc<Ledger>,
    view: Arc<View>,
}

impl Inventory {
    fn new(starting: StartingStock, now: Timestamp) -> Self {
        let ledger = Arc::new(fresh(starting));
        Self { starting, ledger: Arc::clone(&ledger), view: Arc::new(View::new(ledger, now)) }
    }
}

fn fresh(starting: StartingStock) -> Ledger {
    Ledger::new(Stock::new(|product| starting.of(product)))
}

impl Domain for Inventory {
    fn reset(&mut self) {
        // The old ledger is shown until the new one has caught up.
        self.ledger = Arc::new(fresh(self.starting));
    }

    fn fold(&mut self, record: &Received) {
        if let Some(order) = domain::fold(&self.ledger, &record.event) {
            let (topic, partition) = (record.topic.name(), record.partition);
            let offset = record.offset;
            warn!(%order, topic, partition, offset, "the log overruled a decision: it is undone");
        }
        self.view.touch(record.event.product_id(), record.timestamp);
    }

    fn caught_up(&mut self) {
        self.view.show(Arc::clone(&self.ledger));
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        self.view.touch(record.event.product_id(), now);
        domain::decide(&self.ledger, &record.event).map_or(Decision::Nothing, Decision::Publish)
    }
}
