//! The order service: takes orders over HTTP and publishes `OrderCreated`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`] | a request body to an order, or to a message that helps; pure |
//! | [`domain`] | which orders are known, which are on their way; pure |
//! | [`known`] | what was ordered under each id, as snapshots keep it |
//! | [`create`] | one order from its request to the log, or to the queue |
//! | [`dispatch`] | the two ways there, and the circuit breaker that chooses |
//! | [`queue`] | orders that wait for Kafka, on disk |
//! | [`drain`] | the queue follows into the log |
//! | [`consume`] | the log's orders to the domain |
//! | [`http`] | `POST /order` |

mod args;
mod consume;
mod create;
mod dispatch;
mod domain;
mod drain;
mod http;
mod known;
mod queue;
mod request;

pub(crate) use self::http::Api;

use std::sync::Arc;

use contract::process::port;
use contract::topics::Topic;

pub use self::args::Args;
use self::create::Desk;
use self::dispatch::Dispatch;
use self::domain::Orders;
use self::queue::Queue;
use crate::kit::breaker::Guard;
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::Limited;
use crate::kit::log::Log;
use crate::kit::process::{Announcement, Process, Routes};
use crate::kit::publisher::{Publisher, PublisherSettings};
use crate::kit::replay::{self, KeptIn, Mailbox, Replays};
use crate::kit::worker::Upkeep;

const NAME: &str = "order";

/// The folder of the queue in the service's own.
const QUEUE: &str = "queue";

/// Takes orders until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let proxies = args.edge.proxies()?;
    let process = Process::begin(NAME, port::ORDER, &args.common.process, Health::new).await?;
    let (clock, health) = (process.clock.clone(), Arc::clone(&process.health));
    let mut orders = Orders::default();
    let folder = args.common.state_dir(NAME).join(QUEUE);
    let queue = Queue::open(&folder, args.away.queue(), clock.clone(), |record| {
        consume::fold_queued(&mut orders, record);
    })?;
    let breaker = Guard::new("publishing", args.away.breaker(), clock.clone());
    let dispatch = Arc::new(Dispatch::new(breaker, queue, args.away.patience()));
    let desk = Desk::new(orders, Arc::clone(&dispatch), clock.clone());
    let told = Arc::clone(&dispatch);
    health.add_to_report(move |report| {
        report.breaker = Some(told.breaker.state().name().to_owned());
        report.queue = Some(told.queue.depth());
    });
    let limited = Limited::new("orders", args.order_limit, proxies, clock.clone());
    let (replays, mailbox) =
        Replays::new(NAME, KeptIn::Memory, clock.clone(), Arc::clone(&health), args.common.replays);
    let serving = process.serve(Routes {
        public: http::routes(Arc::clone(&desk), Arc::clone(&health), limited),
        origins: Some(args.edge.origins()),
        door: args.edge.door()?,
        management: replay::http::routes(Arc::clone(&replays)),
    })?;
    let announcement = serving.announcement;
    let working = work(&args, clock, &desk, &dispatch, &health, (replays, mailbox), announcement);
    let worked = serving.run(working).await;
    desk.finish().await;
    worked
}

/// Opens the way to the log, keeps the desk informed and drains the queue. Ends only when it fails.
async fn work(
    args: &Args,
    clock: Clock,
    desk: &Desk,
    dispatch: &Dispatch,
    health: &Health,
    replay: (Arc<Replays>, Mailbox),
    announcement: Announcement,
) -> anyhow::Result<()> {
    let reporting = drain::report(dispatch, &clock);
    let working = async {
        let log = Log::connect(&args.common, Topic::Orders.producer(), clock.clone()).await?;
        let patience = Some(args.away.patience());
        let settings = PublisherSettings { patience, ..PublisherSettings::default() };
        let publisher = Publisher::start(&log, Topic::Orders, settings, None);
        dispatch.open(publisher.clone());
        health.set_kafka_connected(true);
        let upkeep = Upkeep::new(&args.common, NAME, &log, replay);
        tokio::select! {
            biased;
            followed = consume::follow(upkeep, desk, health, announcement) => followed,
            drained = drain::drain(dispatch, &publisher) => match drained {},
        }
    };
    tokio::select! {
        biased;
        worked = working => worked,
        reported = reporting => match reported {},
    }
}
