//! The life of a service that works in a group: listen, reach the log, work, stop in order.

use std::sync::Arc;

use super::health::Health;
use super::log::Log;
use super::process::{Announcement, Process, Routes};
use super::shutdown::Shutdown;
use super::snapshot::Keeper;
use super::worker::{Domain, Worker, WorkerSettings};
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
    let (clock, shutdown) = (process.clock.clone(), process.shutdown.clone());
    let health = Arc::clone(&process.health);
    let (domain, routes) = parts(&process)?;
    let serving = process.serve(routes)?;
    let announcement = serving.announcement;
    // The worker hears of the shutdown itself: it finishes what is in flight first.
    let worked = work(args, clock, settings, domain, &health, &shutdown, announcement).await;
    serving.end().await;
    worked
}

async fn work<D: Domain>(
    args: &CommonArgs,
    clock: Clock,
    settings: WorkerSettings,
    mut domain: D,
    health: &Arc<Health>,
    shutdown: &Shutdown,
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
    let folder = args.state_dir(settings.service);
    let keeper = Keeper::new(folder, settings.service, &log, args.snapshots);
    let on_ready = Box::new(move || announcement.print());
    Worker::new(settings, domain, log, Arc::clone(health), keeper, on_ready).run(shutdown).await
}
