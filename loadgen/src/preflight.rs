//! Whether this machine can carry a phase, found out before it starts.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

use crate::flow::Flow;
use crate::lease::POOL_SIZE;
use crate::scenario::{Executor, Phase, Scenario};

/// For the runtime, the journal, pipes and libraries.
const OWN_DESCRIPTORS: u64 = 64;
/// Ports that one client address has for one service: Linux's default range, 32768 to 60999.
const PORTS_PER_ADDRESS: u64 = 28_232;
/// A closed connection keeps its port this long.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// What the machine gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// File descriptors of one process, at most.
    pub descriptors: u64,
    /// Connections per minute that one client address may make to the order service; 0 is no limit.
    pub orders_per_minute: u64,
    /// Sockets that one client address may hold; 0 is no limit.
    pub sockets_per_address: u64,
    /// Processes among which the load is divided.
    pub shards: u64,
}

impl Limits {
    /// This machine's, with the specification's limits per client.
    ///
    /// # Errors
    /// When the system does not say how many descriptors there may be.
    pub fn of_this_machine(shards: u64) -> io::Result<Self> {
        let (_, descriptors) = getrlimit(Resource::RLIMIT_NOFILE)?;
        Ok(Self { descriptors, orders_per_minute: 10, sockets_per_address: 5, shards })
    }
}

/// What a phase needs at its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preflight {
    /// File descriptors of one load process.
    pub descriptors: u64,
    /// Client ports in use or not yet free again, over all addresses, towards the busiest service.
    pub ports: u64,
    /// Client addresses that the limits per client demand.
    pub addresses: u64,
}

/// Why a phase cannot run here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PreflightError {
    #[error(
        "phase {phase} needs {needed} file descriptors in each load process and this machine allows \
         {limit}: raise the hard limit (ulimit -Hn) or run with --scale {scale}"
    )]
    Descriptors { phase: String, needed: u64, limit: u64, scale: String },
    #[error(
        "phase {phase} needs {needed} client ports and {limit} are there: run with --scale {scale}"
    )]
    Ports { phase: String, needed: u64, limit: u64, scale: String },
    #[error(
        "phase {phase} needs {needed} client addresses to stay within the limits per client, and \
         {limit} are there: run with --scale {scale}"
    )]
    Addresses { phase: String, needed: u64, limit: u64, scale: String },
    #[error("phase {phase}, scenario {scenario}: {message}")]
    Flow { phase: String, scenario: String, message: String },
}

/// Works out what `phase` needs and compares it with `limits`.
///
/// # Errors
/// The first thing that is not enough, and the `--scale` with which it would be.
pub fn check(phase: &Phase, limits: &Limits) -> Result<Preflight, PreflightError> {
    let needs = needs(phase, limits);
    let name = || phase.name.clone();
    let given = phase.given();
    for scenario in &phase.scenarios {
        scenario.flow.check(&scenario.env, &given).map_err(|message| PreflightError::Flow {
            phase: name(),
            scenario: scenario.name.clone(),
            message,
        })?;
    }
    let (needed, limit) = (needs.descriptors, limits.descriptors);
    if needed > limit {
        let scale = scale(needed, limit);
        return Err(PreflightError::Descriptors { phase: name(), needed, limit, scale });
    }
    let (needed, limit) = (needs.ports, u64::from(POOL_SIZE) * PORTS_PER_ADDRESS);
    if needed > limit {
        let scale = scale(needed, limit);
        return Err(PreflightError::Ports { phase: name(), needed, limit, scale });
    }
    let (needed, limit) = (needs.addresses, u64::from(POOL_SIZE));
    if needed > limit {
        let scale = scale(needed, limit);
        return Err(PreflightError::Addresses { phase: name(), needed, limit, scale });
    }
    Ok(needs)
}

/// Two digits, rounded down, so that it fits.
#[expect(clippy::cast_precision_loss, reason = "a suggestion of two digits")]
fn scale(needed: u64, limit: u64) -> String {
    let share = limit as f64 / needed as f64;
    format!("{:.2}", ((share * 100.0).floor() / 100.0).max(0.01))
}

fn needs(phase: &Phase, limits: &Limits) -> Preflight {
    let peak = |scenario: &Scenario| match &scenario.flow {
        Flow::KafkaPipe(params) => u64::from(params.partitions.unsigned_abs()) * 2 + 2,
        // One connection at a time: the request's, then the socket's.
        _ => u64::from(scenario.executor.max_vus()).div_ceil(limits.shards.max(1)),
    };
    let mut ports = BTreeMap::<&str, u64>::new();
    for scenario in &phase.scenarios {
        for service in services(&scenario.flow) {
            *ports.entry(service).or_default() += connections(scenario, TIME_WAIT);
        }
    }
    Preflight {
        descriptors: phase.scenarios.iter().map(peak).sum::<u64>() + OWN_DESCRIPTORS,
        ports: ports.into_values().max().unwrap_or_default(),
        addresses: addresses(phase, limits),
    }
}

fn services(flow: &Flow) -> &'static [&'static str] {
    match flow {
        Flow::PlaceOrder(_) => &["order"],
        Flow::WatchOrder(_) => &["order", "status"],
        Flow::CheckStatus(_) => &["status"],
        Flow::CheckInventory(_) => &["inventory"],
        Flow::KafkaPipe(_) | Flow::Http(_) | Flow::Websocket(_) => &[],
    }
}

/// Addresses are leased in turn by all scenarios, so each has its share of everything.
fn addresses(phase: &Phase, limits: &Limits) -> u64 {
    let is_order = |scenario: &&Scenario| services(&scenario.flow).contains(&"order");
    let minute = Duration::from_secs(60);
    let orders: u64 =
        phase.scenarios.iter().filter(is_order).map(|scenario| connections(scenario, minute)).sum();
    let watches = |scenario: &&Scenario| matches!(scenario.flow, Flow::WatchOrder(_));
    let sockets: u64 = phase
        .scenarios
        .iter()
        .filter(watches)
        .map(|scenario| u64::from(scenario.executor.max_vus()))
        .sum();
    let share = |count: u64, limit: u64| if limit == 0 { 1 } else { count.div_ceil(limit) };
    share(orders, limits.orders_per_minute).max(share(sockets, limits.sockets_per_address)).max(1)
}

/// Connections that a scenario makes to one service within any `span`, at most. A closed model's are as
/// many as the system lets it make; they are taken as one a second for each user.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded up, positive")]
fn connections(scenario: &Scenario, span: Duration) -> u64 {
    let span = span.min(scenario.executor.duration()).as_secs_f64();
    let per_second = match &scenario.executor {
        Executor::ConstantArrivalRate { rate, time_unit, .. } => rate / time_unit.as_secs_f64(),
        Executor::RampingArrivalRate { start_rate, time_unit, stages, .. } => {
            let targets = stages.iter().map(|stage| stage.target);
            targets.fold(*start_rate, f64::max) / time_unit.as_secs_f64()
        }
        closed => f64::from(closed.max_vus()),
    };
    (per_second * span).ceil() as u64
}

/// Lets this process have as many file descriptors as the system allows it.
///
/// # Errors
/// When the system refuses.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}
