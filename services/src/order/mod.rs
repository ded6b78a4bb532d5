//! The order service: takes orders over HTTP and publishes `OrderCreated`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`] | a request body to an order, or to a message that helps; pure |
//! | [`domain`] | which orders are known, which are on their way; pure |
//! | [`create`] | one order from its request to the log |
//! | [`consume`] | the log's orders to the domain |
//! | [`http`] | `POST /order` |

mod consume;
mod create;
mod domain;
mod http;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use contract::topics::Topic;
use create::Desk;

use crate::cli::CommonArgs;
use crate::kit::client_address::TrustedProxies;
use crate::kit::clock::Clock;
use crate::kit::follower::Follower;
use crate::kit::health::Health;
use crate::kit::http::{AllowedOrigins, Limited, bind, router, serve};
use crate::kit::log::Log;
use crate::kit::publisher::{Publisher, PublisherSettings};
use crate::kit::shutdown::Shutdown;

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
    /// Proxies whose X-Forwarded-For is believed: address blocks, separated by commas.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Origins whose pages may use the service, separated by commas.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "http://localhost:3000")]
    pub allowed_origins: String,
}

/// Takes orders until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let clock = Clock::system();
    let proxies: TrustedProxies = args.trusted_proxies.parse().context("--trusted-proxies")?;
    let Ok(origins) = args.allowed_origins.parse::<AllowedOrigins>();
    let shutdown = Shutdown::install(args.common.exit_with_parent)?;
    // The port comes first: an occupied one shows at once, and health can be asked from the start.
    let port = args.common.port_or(contract::process::port::ORDER);
    let listener = bind(&args.common.host, port).await?;
    let address = listener.local_addr().context("the listener has no address")?;

    let health = Health::new(NAME, clock.clone());
    let desk = Desk::new(clock.clone());
    let limited = Limited::new("orders", args.order_limit, proxies, clock.clone());
    let routes = http::routes(Arc::clone(&desk), Arc::clone(&health), limited);
    let router = router(Arc::clone(&health), routes).layer(origins.layer());
    let server = tokio::spawn(serve(listener, router, clock.clone(), shutdown.clone()));

    let worked = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        worked = work(&args, clock, &desk, &health, address) => worked,
    };
    health.set_stopping();
    shutdown.begin();
    server.await.context("serving HTTP failed")?;
    desk.finish().await;
    worked
}

/// Opens the desk and keeps it informed. Ends only when it fails.
async fn work(
    args: &Args,
    clock: Clock,
    desk: &Desk,
    health: &Health,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let log = Log::connect(&args.common, Topic::Orders.producer(), clock).await?;
    let patience = Some(Duration::from_millis(args.publish_timeout_ms));
    let settings = PublisherSettings { patience, ..PublisherSettings::default() };
    desk.open(Publisher::start(&log, Topic::Orders, settings));
    health.set_kafka_connected(true);
    let follower = Follower::start(&log, &[Topic::Orders]);
    consume::follow(follower, desk, health, address).await
}
