//! How exactly iterations start: `cargo run --release -p benches --bin pacing`.
//!
//! One shard of the load engine, as `doorbuster run` starts it, with iterations that do nothing (or, with `--http`,
//! ask a server on loopback), at constant and ramping rates. Starts are compared with the plan over the whole
//! run and over every ten seconds of it; the send lag says how late each was. Exits with 99 when a goal is missed.

mod plan;
mod server;
mod tally;

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use futures_util::future::LocalBoxFuture;
use loadgen::executor::schedule::Stripe;
use loadgen::flow::Targets;
use loadgen::scenario::Scenario;
use loadgen::shard::{self, Order, Plan, Report, Shard};
use loadgen::vu::{Iteration, VirtualUser, Work};
use plan::Planned;
use tally::{Row, Tally};

/// As the shop's own binary: the figures are the allocator's too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MISSED: u8 = 99;

#[derive(Parser)]
struct CommandLine {
    /// Seconds for each rate
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(11..=3600))]
    seconds: u64,
    /// Rates per second
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    rates: Vec<u32>,
    /// Ask a server on loopback instead of doing nothing
    #[arg(long)]
    http: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let CommandLine { seconds, rates, http } = CommandLine::parse();
    let server = http.then(server::start).transpose()?;
    println!("{}", Row::HEAD);
    let mut missed = false;
    for rate in rates {
        for planned in Planned::both(rate, Duration::from_secs(seconds)) {
            let row = measure(planned, server.as_deref())?;
            println!("{row}");
            missed |= row.missed();
        }
    }
    Ok(ExitCode::from(if missed { MISSED } else { 0 }))
}

/// Runs one plan in a shard on this thread.
fn measure(planned: Planned, server: Option<&str>) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    // Nobody listens there, and nobody asks.
    let url = vec![server.unwrap_or("http://127.0.0.1:9").to_owned()];
    let plan = Plan {
        scenarios: vec![planned.scenario()?],
        targets: Targets {
            order: url.clone(),
            status: url.clone(),
            inventory: url,
            kafka: "127.0.0.1:9".to_owned(),
        },
        given: Vec::new(),
        journal_dir: folder.path().to_owned(),
        seed: 1,
        run_id: 1,
        segment: Stripe::WHOLE,
        stripe: Stripe::WHOLE,
    };
    let tally = RefCell::new(Tally::default());
    shard::runtime(&plan.scenarios)?.block_on(async {
        let (give, orders) = tokio::sync::mpsc::unbounded_channel();
        give.send(Order::Start)?;
        let idle = |_: &Scenario| server.is_none().then(|| Rc::new(Idle) as Rc<dyn Work>);
        let shard = Shard::prepare_with(plan, &idle).await?;
        let report = |report| {
            if let Report::Snapshot(snapshot) = report {
                tally.borrow_mut().add(&snapshot);
            }
        };
        shard.run(orders, report).await
    })?;
    tally.into_inner().row(&planned).context("a snapshot of the load is damaged")
}

/// Iterations that end where they start.
struct Idle;

impl Work for Idle {
    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(Self)
    }
}

impl VirtualUser for Idle {
    fn run(&mut self, _: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
