//! The order service: takes orders over HTTP and publishes `OrderCreated`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`] | a request body to an order, or to a message that helps; pure |
//! | [`domain`] | which orders are known, which are on their way; pure |
//! | [`known`] | what was ordered under each id, as snapshots keep it |
//! | [`create`] | one order from its request to the log |
//! | [`consume`] | the log's orders to the domain |
//! | [`http`] | `POST /order` |

mod consume;
mod create;
mod domain;
mod http;
mod known;
mod request;

pub(crate) use self::http::Api;

use std::sync::Arc;
use std::time::Duration;

use contract::process::port;
use contract::topics::Topic;
use create::Desk;

use crate::cli::CommonArgs;
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::{EdgeArgs, Limited};
use crate::kit::log::Log;
use crate::kit::process::{Announcement, Process, Routes};
use crate::kit::publisher::{Publisher, PublisherSettings};
use crate::kit::replay::{self, Mailbox, Replays};
use crate::kit::worker::Upkeep;

const NAME: &str = "order";

/// Command line of the order service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Orders a minute from one client address; 0 for no limit.
    #[arg(long, env = "ORDER_LIMIT", default_value_t = 10)]
    pub order_limit: u32,
    /// How long an order may wait for Kafka before the client is told 503, in milliseconds.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=9_000))]
    pub publish_timeout_ms: u64,
    #[command(flatten)]
    pub edge: EdgeArgs,
}

/// Takes orders until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let proxies = args.edge.proxies()?;
    let process = Process::begin(NAME, port::ORDER, &args.common.process, Health::new).await?;
    let (clock, health) = (process.clock.clone(), Arc::clone(&process.health));
    let desk = Desk::new(clock.clone());
    let limited = Limited::new("orders", args.order_limit, proxies, clock.clone());
    let (replays, mailbox) =
        Replays::new(NAME, clock.clone(), Arc::clone(&health), args.common.replays);
    let serving = process.serve(Routes {
        public: http::routes(Arc::clone(&desk), Arc::clone(&health), limited),
        origins: Some(args.edge.origins()),
        door: args.edge.door()?,
        management: replay::http::routes(Arc::clone(&replays)),
    })?;
    let announcement = serving.announcement;
    let worked =
        serving.run(work(&args, clock, &desk, &health, (replays, mailbox), announcement)).await;
    desk.finish().await;
    worked
}

/// Opens the desk and keeps it informed. Ends only when it fails.
async fn work(
    args: &Args,
    clock: Clock,
    desk: &Desk,
    health: &Health,
    replay: (Arc<Replays>, Mailbox),
    announcement: Announcement,
) -> anyhow::Result<()> {
    let log = Log::connect(&args.common, Topic::Orders.producer(), clock).await?;
    let patience = Some(Duration::from_millis(args.publish_timeout_ms));
    let settings = PublisherSettings { patience, ..PublisherSettings::default() };
    desk.open(Publisher::start(&log, Topic::Orders, settings, None));
    health.set_kafka_connected(true);
    let upkeep = Upkeep::new(&args.common, NAME, &log, replay);
    consume::follow(upkeep, desk, health, announcement).await
}
