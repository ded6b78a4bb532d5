//! The status service: folds every topic into orders, and shows them over HTTP and WebSockets.
//!
//! | module | what it holds |
//! |---|---|
//! | [`domain`] | one order's history from its events, causes before effects; pure |
//! | [`render`] | an order as JSON |
//! | [`view`] | all orders, and which sockets watch which; no I/O |
//! | [`consume`] | the log's events to the view |
//! | [`http`] | `GET /status/{id}` and the handshake of `/ws/{id}` |
//! | [`socket`] | one WebSocket after its handshake |

mod consume;
mod domain;
mod http;
mod render;
mod socket;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use contract::topics::Topic;
use http::{SocketSettings, Sockets};
use view::SharedView;

use crate::cli::CommonArgs;
use crate::kit::client_address::TrustedProxies;
use crate::kit::clock::Clock;
use crate::kit::follower::Follower;
use crate::kit::health::Health;
use crate::kit::http::{AllowedOrigins, Limited, bind, router, serve};
use crate::kit::log::Log;
use crate::kit::shutdown::Shutdown;

const NAME: &str = "status";

/// The name under which its connections are known (specification §2.3).
const SERVICE: &str = "status-service";

/// Command line of the status service.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Status reads a minute from one client address; 0 for no limit.
    #[arg(long, env = "STATUS_LIMIT", default_value_t = 60)]
    pub status_limit: u32,
    /// WebSockets at once from one client address; 0 for no limit.
    #[arg(long, env = "SOCKETS_PER_ADDRESS", default_value_t = 5)]
    pub sockets_per_address: u32,
    /// How often each WebSocket is pinged, in milliseconds; two pings without an answer close it.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(10..))]
    pub heartbeat_ms: u64,
    /// Proxies whose X-Forwarded-For is believed: address blocks, separated by commas.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Origins whose pages may use the service, separated by commas.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "http://localhost:3000")]
    pub allowed_origins: String,
}

/// Shows orders until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let clock = Clock::system();
    let proxies: TrustedProxies = args.trusted_proxies.parse().context("--trusted-proxies")?;
    let Ok(origins) = args.allowed_origins.parse::<AllowedOrigins>();
    let shutdown = Shutdown::install(args.common.exit_with_parent)?;
    // The port comes first: an occupied one shows at once, and health can be asked from the start.
    let port = args.common.port_or(contract::process::port::STATUS);
    let listener = bind(&args.common.host, port).await?;
    let address = listener.local_addr().context("the listener has no address")?;

    let health = Health::new(NAME, clock.clone());
    let view = Arc::new(SharedView::default());
    let sockets = Sockets::new(SocketSettings {
        per_address: args.sockets_per_address,
        heartbeat: Duration::from_millis(args.heartbeat_ms),
        proxies: proxies.clone(),
        origins: origins.clone(),
    });
    let desk = http::Desk {
        view: Arc::clone(&view),
        health: Arc::clone(&health),
        sockets: Arc::clone(&sockets),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let limited = Limited::new("status reads", args.status_limit, proxies, clock.clone());
    let routes = http::routes(desk, limited);
    let router = router(Arc::clone(&health), routes).layer(origins.layer());
    let server = tokio::spawn(serve(listener, router, clock.clone(), shutdown.clone()));

    let worked = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        worked = work(&args, clock, &view, &health, address) => worked,
    };
    health.set_stopping();
    shutdown.begin();
    server.await.context("serving HTTP failed")?;
    sockets.finish().await;
    worked
}

/// Keeps the view up to date. Ends only when it fails.
async fn work(
    args: &Args,
    clock: Clock,
    view: &SharedView,
    health: &Health,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let log = Log::connect(&args.common, SERVICE, clock).await?;
    health.set_kafka_connected(true);
    let follower = Follower::start(&log, &Topic::ALL);
    consume::follow(follower, view, health, address).await
}
