//! The inventory: reserves pieces for orders, takes them out when paid, gives them back when the
//! payment failed. Its state is a fold of `inventory` and `payment`: in memory, with a single writer, or in
//! PostgreSQL, where several instances share it.

mod args;
mod domain;
mod http;
mod kept;
pub mod ledger;
mod postgres;
mod standing;
pub mod stock;
mod view;

pub(crate) use self::http::Api;

use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use contract::Timestamp;
use contract::process::port;
use contract::topics::Topic;
use tokio::sync::oneshot;
use tracing::warn;

pub use self::args::{Args, StartingStock};
use self::kept::Kept;
use self::postgres::TableInventory;
use self::view::View;
use crate::kit::health::Health;
use crate::kit::kafka::assignor::Sharing;
use crate::kit::log::Received;
use crate::kit::postgres::Database;
use crate::kit::process::Routes;
use crate::kit::publisher::PublisherSettings;
use crate::kit::service;
use crate::kit::snapshot::State;
use crate::kit::worker::{Decision, Domain, WorkerSettings};

const NAME: &str = "inventory";

/// Decisions that wait for the log at once.
const MAX_IN_FLIGHT: usize = 2_000;

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    if args.database.is_given() { run_on_tables(args).await } else { run_in_memory(args).await }
}

fn settings(args: &Args, sharing: Sharing) -> WorkerSettings {
    WorkerSettings {
        service: NAME,
        instance: args.common.instance.clone(),
        inputs: &[Topic::Orders, Topic::Payment],
        remembered: &[Topic::Payment],
        output: Topic::Inventory,
        sharing,
        max_in_flight: MAX_IN_FLIGHT,
        publisher: PublisherSettings::default(),
    }
}

fn routes(args: &Args, shelf: http::Shelf, health: &Arc<Health>) -> anyhow::Result<Routes> {
    Ok(Routes {
        public: http::routes(shelf, Arc::clone(health)),
        origins: Some(args.edge.origins()),
        door: args.edge.door()?,
        management: Router::new(),
    })
}

async fn run_in_memory(args: Args) -> anyhow::Result<()> {
    let settings = settings(&args, Sharing::SingleWriter);
    service::run(&args.common, port::INVENTORY, settings, |process| {
        let inventory = Inventory::new(args.stock, process.clock.now());
        let shelf = http::Shelf::Memory(Arc::clone(&inventory.view));
        let routes = routes(&args, shelf, &process.health)?;
        Ok((inventory, routes))
    })
    .await
}

/// With a database, several instances share the stock and the partitions.
async fn run_on_tables(args: Args) -> anyhow::Result<()> {
    let settings = settings(&args, Sharing::Range);
    let (tell, failure) = oneshot::channel();
    let working = service::run(&args.common, port::INVENTORY, settings, |process| {
        let (health, clock) = (&process.health, &process.clock);
        let database = Database::open(&args.database, NAME, health, clock)?;
        let database = database.context("--database names no database")?;
        let (inventory, failed) = TableInventory::new(database, args.stock, clock.clone());
        // Without anybody to hear it, the service is ending anyway.
        let _ = tell.send(failed);
        let shelf = http::Shelf::Table(Arc::clone(&inventory.shelf));
        let routes = routes(&args, shelf, health)?;
        Ok((inventory, routes))
    });
    let failure = async {
        match failure.await {
            Ok(failed) => failed.await,
            Err(error) => Err(error),
        }
    };
    tokio::select! {
        biased;
        // What the tables refuse is not committed either: whoever comes next reads it again.
        Ok(reason) = failure => bail!("the tables cannot be written: {reason}"),
        worked = working => worked,
    }
}

/// The inventory's state between records.
struct Inventory {
    kept: Kept,
    view: Arc<View>,
}

impl Inventory {
    fn new(starting: StartingStock, now: Timestamp) -> Self {
        let kept = Kept::new(starting);
        let view = Arc::new(View::new(Arc::clone(&kept.ledger), now));
        Self { kept, view }
    }
}

impl Domain for Inventory {
    fn reset(&mut self) {
        // The old ledger is shown until the new one has caught up.
        self.kept = Kept::new(self.kept.starting);
    }

    fn fold(&mut self, record: &Received) {
        if let Some(order) = domain::fold(&self.kept.ledger, &record.event) {
            let (topic, partition) = (record.topic.name(), record.partition);
            let offset = record.offset;
            warn!(%order, topic, partition, offset, "the log overruled a decision: it is undone");
        }
        self.view.touch(record.event.product_id(), record.timestamp);
    }

    fn caught_up(&mut self) {
        self.view.show(Arc::clone(&self.kept.ledger));
    }

    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision {
        self.view.touch(record.event.product_id(), now);
        let decided = domain::decide(&self.kept.ledger, &record.event);
        decided.map_or(Decision::Nothing, Decision::Publish)
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use contract::events::EventType;
    use contract::ids::ProductId;
    use contract::topics::Step;
    use proptest::prelude::*;

    use super::*;
    use crate::kit::worker::model::{self, Topics};

    const TOPICS: Topics = Topics {
        inputs: &[Topic::Orders, Topic::Payment],
        remembered: &[Topic::Payment],
        output: Topic::Inventory,
    };

    /// The other products have room for every order or for none.
    const PIECES: u32 = 5;

    const TYPES: [EventType; 3] =
        [EventType::OrderCreated, EventType::PaymentCompleted, EventType::PaymentFailed];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn whenever_it_is_killed_every_order_is_decided_once_and_no_piece_sold_twice(
            inputs in model::inputs(&TYPES),
            acts in model::acts(),
        ) {
            let starting: StartingStock =
                format!("product-1={PIECES},product-2=100").parse().unwrap();
            let new = || Inventory::new(starting, Timestamp::default());
            let logs = model::play(new, TOPICS, &inputs, &acts);
            let orders = model::count(&logs[&Topic::Orders], Step::Created);
            let decided = model::count(&logs[&Topic::Inventory], Step::Inventory);
            prop_assert_eq!(decided, orders.into_keys().map(|order| (order, 1)).collect());

            let mut failed = model::firsts(&logs[&Topic::Payment], Step::Payment);
            failed.retain(|_, payment| *payment == EventType::PaymentFailed);
            let released = model::count(&logs[&Topic::Inventory], Step::Release);
            prop_assert_eq!(released, failed.into_keys().map(|order| (order, 1)).collect());

            let confirmed = logs[&Topic::Inventory].iter().filter(|event| {
                event.event_type() == EventType::InventoryConfirmed
                    && event.product_id() == ProductId::Product1
                    && logs[&Topic::Inventory].iter().all(|other| {
                        other.order_id() != event.order_id()
                            || other.event_type() != EventType::InventoryReleased
                    })
            });
            prop_assert!(confirmed.map(|event| event.quantity()).sum::<u32>() <= PIECES);
        }
    }
}
