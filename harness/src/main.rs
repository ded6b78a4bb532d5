//! The one binary. This file is its outline: every command lives in a module of its own.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use doorbuster::cli::{Cli, Command};
use doorbuster::exit::{BAD_CONFIGURATION, Outcome};
use doorbuster::{audit_command, capacity, gate, replay, results, run, say, scenarios, up};
use tracing_subscriber::EnvFilter;

/// Sockets and orders come and go by the thousand: the system's allocator spent half of the status
/// service's time on putting their pieces together again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no errors; if nobody reads them, so be it.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BAD_CONFIGURATION } else { 0 });
        }
    };
    log_to_stderr(&cli.command);
    match execute(cli.command) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            say::aside(format_args!("error: {error:#}\n"));
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

/// One thread each: a process of the shop waits more than it computes, and ten share the cores.
fn execute(command: Command) -> anyhow::Result<Outcome> {
    // Ten thousand sockets are more than the soft limit of most systems allows one process.
    loadgen::preflight::raise_descriptor_limit().context("the limit of file descriptors")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(*args).await,
            Command::Capacity(args) => capacity::capacity(*args).await,
            Command::Up(args) => up::up(args).await,
            Command::Broker(args) => {
                keep_to_small_pages();
                sim::run(args).await.map(|()| Outcome::Done)
            }
            Command::Service { service } => services::run(*service).await.map(|()| Outcome::Done),
            Command::Audit(args) => audit_command::audit_command(args).await,
            Command::Replay(args) => replay::replay(*args).await,
            Command::Report(args) => results::report(&args),
            Command::Compare(args) => results::compare(&args),
            Command::Merge(args) => results::merge(&args),
            Command::Gate(args) => gate::gate(args).await,
            Command::Scenarios { command } => scenarios::scenarios(&command),
            Command::Load => loadgen::shard::run().await.map(|()| Outcome::Done),
        }
    });
    // A thread that still reads standard input must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// What the broker holds it touches once, and small pages of it come back from the kernel's own lists: pages of
/// 2 MiB had to be cleared, and on a virtual machine be found by its host, for three times the price. An idle
/// broker needs 6 MB less as well.
#[cfg(target_os = "linux")]
fn keep_to_small_pages() {
    // An old kernel that cannot is none the worse.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(not(target_os = "linux"))]
fn keep_to_small_pages() {}

/// `json` for one JSON object a line; anything else for text.
const LOG_FORMAT: &str = "LOG_FORMAT";

/// `RUST_LOG` decides; without it warnings, or errors only where a dashboard would be disturbed.
fn log_to_stderr(command: &Command) {
    // rskafka warns at every attempt; whoever asked for Kafka tells the outcome in one line.
    let default = if matches!(command, Command::Run(_) | Command::Capacity(_)) {
        "error"
    } else {
        "warn,rskafka=error"
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A line that cannot be written would be reported by `eprintln!`, which panics for the same reason: a
    // full disk that holds the log, too.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if std::env::var(LOG_FORMAT).is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().flatten_event(true).init();
    } else {
        lines.init();
    }
}
