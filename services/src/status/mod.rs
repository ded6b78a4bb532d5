//! The status service: folds every topic into orders, and shows them over HTTP and WebSockets.
//!
//! | module | what it holds |
//! |---|---|
//! | [`domain`] | one order's history from its events, causes before effects; pure |
//! | [`kept`] | orders as a state: in memory, in snapshots, and in the file of those that have ended |
//! | [`archive`] | where orders are read from that have left memory |
//! | [`render`] | an order as JSON |
//! | [`view`] | all orders, and which sockets watch which; no I/O |
//! | [`consume`] | the log's events to the view |
//! | [`http`], [`pages`] | `GET /status/{id}`, page by page; the handshake of `/ws/{id}` |
//! | [`postgres`] | the projection in tables, where there are some |
//! | [`stuck`], [`management`] | orders that have not ended in time: pure, and `GET /orders/stuck` |
//! | [`socket`] | one WebSocket after its handshake |

mod archive;
mod consume;
mod domain;
mod http;
mod kept;
mod management;
mod pages;
mod postgres;
mod render;
mod socket;
mod stuck;
mod view;

pub(crate) use self::http::Api;
pub(crate) use self::management::Api as ManagementApi;

use std::sync::Arc;
use std::time::Duration;

use archive::Archive;
use consume::{Past, Tables};
use contract::process::port;
use http::{SocketSettings, Sockets};
use kept::{PastFile, Retirement};
use management::Overseer;
use view::{SharedView, View};

use crate::cli::{CommonArgs, DatabaseArgs};
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::http::{EdgeArgs, Limited};
use crate::kit::log::Log;
use crate::kit::postgres::Database;
use crate::kit::process::{Announcement, Process, Routes};
use crate::kit::replay::{self, KeptIn, Mailbox, Replays};
use crate::kit::snapshot::Start;
use crate::kit::sole::Sole;
use crate::kit::worker::Upkeep;

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
    /// How long a WebSocket's client may take to read a frame before the socket is closed, in milliseconds.
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub send_timeout_ms: u64,
    /// How old an order is that counts as stuck when it has not ended, in milliseconds.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub stuck_after_ms: u64,
    /// Ended orders that stay in memory; the others are read back from the data folder, or from the database.
    #[arg(long, env = "RECENT_ORDERS", default_value_t = 20_000)]
    pub recent_orders: u32,
    #[command(flatten)]
    pub edge: EdgeArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Shows orders until told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let proxies = args.edge.proxies()?;
    let process = Process::begin(NAME, port::STATUS, &args.common.process, Health::new).await?;
    let (clock, health) = (process.clock.clone(), Arc::clone(&process.health));
    let view = Arc::new(SharedView::default());
    let sockets = Sockets::new(SocketSettings {
        per_address: args.sockets_per_address,
        heartbeat: Duration::from_millis(args.heartbeat_ms),
        send_timeout: Duration::from_millis(args.send_timeout_ms),
        proxies: proxies.clone(),
        origins: args.edge.origins(),
    });
    // Its probe keeps the health up to date until the process ends.
    let (tables, _probe) =
        Database::open(&args.database, NAME, &health, &clock)?.map(postgres::Archive::new).unzip();
    let folder = args.common.state_dir(NAME);
    // Without tables this instance has a file of its own.
    let _sole = match &tables {
        Some(_) => None,
        None => Some(Sole::take(&folder, &format!("status service {}", args.common.instance))?),
    };
    let archive = match tables {
        Some(tables) => Archive::Tables(tables),
        None => kept::open(&folder).map_or(Archive::Nowhere, Archive::File),
    };
    let desk = http::Desk {
        view: Arc::clone(&view),
        archive: archive.clone(),
        health: Arc::clone(&health),
        sockets: Arc::clone(&sockets),
        clock: clock.clone(),
        shutdown: process.shutdown.clone(),
    };
    let overseer = Overseer {
        view: Arc::clone(&view),
        health: Arc::clone(&health),
        clock: clock.clone(),
        after: Duration::from_millis(args.stuck_after_ms),
    };
    let limited = Limited::new("status reads", args.status_limit, proxies, clock.clone());
    // With tables, memory holds a part of the orders only: the audit compares the tables with the log.
    let kept_in = match archive {
        Archive::Tables(_) => KeptIn::Tables,
        Archive::File(_) | Archive::Nowhere => KeptIn::Memory,
    };
    let (replays, mailbox) =
        Replays::new(NAME, kept_in, clock.clone(), Arc::clone(&health), args.common.replays);
    let management =
        management::routes(overseer.clone()).merge(replay::http::routes(Arc::clone(&replays)));
    let serving = process.serve(Routes {
        public: http::routes(desk, limited),
        origins: Some(args.edge.origins()),
        door: args.edge.door()?,
        management,
    })?;
    // Ends with the process.
    tokio::spawn(overseer.watch());
    let announcement = serving.announcement;
    let working = work(&args, clock, &view, archive, &health, (replays, mailbox), announcement);
    let worked = serving.run(working).await;
    sockets.finish().await;
    worked
}

/// Keeps the view up to date. Ends only when it fails.
async fn work(
    args: &Args,
    clock: Clock,
    view: &SharedView,
    archive: Archive,
    health: &Health,
    replay: (Arc<Replays>, Mailbox),
    announcement: Announcement,
) -> anyhow::Result<()> {
    let recent = args.recent_orders as usize;
    let places = match &archive {
        Archive::Tables(tables) => Some(tables.prepare(view, args.common.partitions).await?),
        Archive::File(_) | Archive::Nowhere => None,
    };
    let log = Log::connect(&args.common, SERVICE, clock).await?;
    health.set_kafka_connected(true);
    let upkeep = Upkeep::new(&args.common, NAME, &log, replay);
    let (start, past) = match (archive, places) {
        (Archive::Tables(tables), Some(places)) => {
            postgres::recognise(&log, &places).await?;
            let cut = places.clone();
            let projector = tables.project(places);
            let start = Start { cut, without: 1, ..Start::default() };
            (start, Past::Tables(Tables::new(tables, projector, recent)))
        }
        (Archive::File(file), _) => {
            let start = restore(&upkeep, view, Some(Arc::clone(&file))).await;
            (start, Past::File(Retirement::new(file, recent)))
        }
        _ => (restore(&upkeep, view, None).await, Past::Nowhere),
    };
    consume::follow(upkeep, start, past, view, health, announcement).await
}

async fn restore(upkeep: &Upkeep, view: &SharedView, file: Option<Arc<PastFile>>) -> Start {
    let (kept, start) = kept::begin(&upkeep.keeper.finder, file).await;
    *view.lock() = View::of(kept);
    start
}
