//! The life of a service that works in a group: listen, reach the log, work, stop in order.

use std::sync::Arc;

use super::health::Health;
use super::log::Log;
use super::process::{Announcement, Process, Routes};
use super::replay::{self, KeptIn, Mailbox, Replays};
use super::shutdown::Shutdown;
use super::sole::Sole;
use super::worker::{Domain, Upkeep, Worker, WorkerSettings};
use crate::cli::CommonArgs;
use crate::kit::clock::Clock;

/// Runs a service until it is told to stop.
///
/// `parts` makes the domain and the routes of a service from its process.
///
/// # Errors
/// When a port is occupied, the log is out of reach or unfit, or the group refuses the service.
pub(crate) async fn run<D: Domain>(
    args: &CommonArgs,
    known_port: u16,
    settings: WorkerSettings,
    parts: impl FnOnce(&Process) -> anyhow::Result<(D, Routes)>,
) -> anyhow::Result<()> {
    let process = Process::begin(settings.service, known_port, &args.process, Health::new).await?;
    let member = format!("{}-{}", settings.service, args.instance);
    let _sole = Sole::take(&args.state_dir(settings.service), &member)?;
    let (clock, shutdown) = (process.clock.clone(), process.shutdown.clone());
    let health = Arc::clone(&process.health);
    let (mut domain, mut routes) = parts(&process)?;
    let kept_in = if domain.state().is_some() { KeptIn::Memory } else { KeptIn::Tables };
    let (replays, mailbox) =
        Replays::new(settings.service, kept_in, clock.clone(), Arc::clone(&health), args.replays);
    routes.management = routes.management.merge(replay::http::routes(Arc::clone(&replays)));
    let serving = process.serve(routes)?;
    let announcement = serving.announcement;
    // The worker hears of the shutdown itself: it finishes what is in flight first.
    let replay = (replays, mailbox);
    let worked =
        work(args, clock, (settings, domain), &health, &shutdown, replay, announcement).await;
    serving.end().await;
    worked
}

async fn work<D: Domain>(
    args: &CommonArgs,
    clock: Clock,
    (settings, mut domain): (WorkerSettings, D),
    health: &Arc<Health>,
    shutdown: &Shutdown,
    replay: (Arc<Replays>, Mailbox),
    announcement: Announcement,
) -> anyhow::Result<()> {
    let connecting = async {
        domain.prepare().await?;
        Log::connect(args, settings.service, clock).await
    };
    let log = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        log = connecting => log?,
    };
    let upkeep = Upkeep::new(args, settings.service, &log, replay);
    let on_ready = Box::new(move || announcement.print());
    Worker::new(settings, domain, log, Arc::clone(health), upkeep, on_ready).run(shutdown).await
}
