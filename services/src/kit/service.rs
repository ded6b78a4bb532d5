//! The life of a service that works in a group: listen, reach the log, work, stop in order.

use std::sync::Arc;

use axum::Router;

use super::clock::Clock;
use super::health::Health;
use super::http;
use super::log::Log;
use super::process::print_ready;
use super::shutdown::Shutdown;
use super::worker::{Domain, Worker, WorkerSettings};
use crate::cli::CommonArgs;

/// Runs a service until it is told to stop.
///
/// `domain` gets the service's health, so that its routes can ask it; it returns those routes too.
///
/// # Errors
/// When the port is occupied, the log is out of reach or unfit, or the group refuses the service.
pub(crate) async fn run<D: Domain>(
    args: &CommonArgs,
    known_port: u16,
    settings: WorkerSettings,
    parts: impl FnOnce(&Arc<Health>) -> (D, Router),
) -> anyhow::Result<()> {
    let clock = Clock::system();
    let shutdown = Shutdown::install(args.exit_with_parent)?;
    // The port comes first: an occupied one shows at once, and health can be asked from the start.
    let listener = http::bind(&args.host, args.port_or(known_port)).await?;
    let address = listener.local_addr()?;
    let health = Health::new(settings.service, clock.clone());
    let (domain, routes) = parts(&health);
    let router = http::router(Arc::clone(&health), routes);
    let server = tokio::spawn(http::serve(listener, router, clock.clone(), shutdown.clone()));

    let worked = work(args, clock, settings, domain, &health, &shutdown, address).await;
    health.set_stopping();
    shutdown.begin();
    drop(server.await);
    worked
}

async fn work<D: Domain>(
    args: &CommonArgs,
    clock: Clock,
    settings: WorkerSettings,
    domain: D,
    health: &Arc<Health>,
    shutdown: &Shutdown,
    address: std::net::SocketAddr,
) -> anyhow::Result<()> {
    let service = settings.service;
    let log = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        log = Log::connect(args, service, clock) => log?,
    };
    let on_ready = Box::new(move || print_ready(service, address));
    Worker::new(settings, domain, log, Arc::clone(health), on_ready).run(shutdown).await
}
