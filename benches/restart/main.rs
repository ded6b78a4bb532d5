//! How soon each service works again after hours of load: `cargo run --release -p benches --bin restart`.
//!
//! The log holds as many orders as a shop of 1,000 a second takes in a quarter of an hour, or as `--orders` says. Each
//! service is started on it alone, folds it, writes a snapshot, is killed, and starts again. Exits with 99 when a
//! start with a snapshot takes longer than the goal.

use std::time::Duration;

use anyhow::Context;
use benches::child::Service;
use benches::orders::Orders;
use clap::Parser;
use services::ServiceCommand;

/// As the shop's own binary: the figures are the allocator's too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MISSED: u8 = 99;

/// Ended orders that the status service keeps in memory, and some on their way out.
const STAY_IN_MEMORY: usize = 30_000;

/// With what each service is started. Nobody is asked for payments: all have been made.
const SERVICES: [(&str, &[&str]); 6] = [
    ("order", &[]),
    ("inventory", &["--stock", "product-2=2000000000"]),
    ("payment", &["--gateway", "http://127.0.0.1:9"]),
    ("shipping", &[]),
    ("notification", &[]),
    ("status", &[]),
];

#[derive(Parser)]
struct CommandLine {
    /// How many orders the log holds, each with five events.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=20_000_000))]
    orders: u32,
    /// Starts of each service with its snapshot; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    starts: u32,
    /// Milliseconds that a start with a snapshot may take.
    #[arg(long, default_value_t = 2_000)]
    goal: u64,
    #[command(subcommand)]
    service: Option<ServiceCommand>,
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    let CommandLine { orders, starts, goal, service } = CommandLine::parse();
    let runtime = services::runtime()?;
    if let Some(service) = service {
        runtime.block_on(services::run(service))?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let slowest = runtime.block_on(measure(usize::try_from(orders)?, starts as usize))?;
    let goal = Duration::from_millis(goal);
    println!("slowest start with a snapshot: {slowest:.2?}; the goal is {goal:.0?}");
    Ok(std::process::ExitCode::from(if slowest <= goal { 0 } else { MISSED }))
}

async fn measure(orders: usize, starts: usize) -> anyhow::Result<Duration> {
    let broker = sim::Broker::start()?;
    let kafka = broker.address().to_string();
    let log = Orders::at(broker.address()).await?;
    // The services make the topics.
    let data = tempfile::tempdir()?;
    let folder = data.path().display().to_string();
    Service::start(&["status", "--kafka", &kafka, "--data-dir", &folder]).await?.kill().await?;
    log.write(0..orders).await?;
    println!("{orders} orders of five events in the log\n");
    println!("| service | folds the log | starts with a snapshot | snapshot | memory |");
    println!("|---|---|---|---|---|");
    let (mut next, mut slowest) = (orders, Duration::ZERO);
    for (name, settings) in SERVICES {
        let data = tempfile::tempdir()?;
        let folder = data.path().display().to_string();
        let common = ["--kafka", &kafka, "--data-dir", &folder, "--snapshot-interval-ms", "500"];
        let arguments = [&[name][..], settings, &common].concat();
        let first = Service::start(&arguments).await.context(name)?;
        let folded = first.ready_after;
        settle(&first, name == "status", &log, &mut next).await.context(name)?;
        let bytes = folder_bytes(data.path())?;
        first.kill().await?;
        let (mut times, mut memory) = (Vec::new(), 0);
        for _ in 0..starts {
            let again = Service::start(&arguments).await.context(name)?;
            times.push(again.ready_after);
            let restored = again.metric("snapshot_orders_restored").await?;
            anyhow::ensure!(restored > 0.0, "{name} did not use its snapshot");
            memory = again.memory_bytes()?;
            again.kill().await?;
        }
        times.sort_unstable();
        let median = times[times.len() / 2];
        slowest = slowest.max(median);
        println!(
            "| {name} | {folded:.2?} | {median:.2?} | {} MB | {} MB |",
            bytes / 1_000_000,
            memory / 1_000_000
        );
    }
    println!();
    Ok(slowest)
}

/// Until a snapshot holds everything, and the status service's ended orders have left memory.
async fn settle(
    service: &Service,
    is_status: bool,
    log: &Orders,
    next: &mut usize,
) -> anyhow::Result<()> {
    if is_status {
        let few = (*next).saturating_sub(STAY_IN_MEMORY);
        service.until_metric("orders_retired_total", |retired| retired as usize >= few).await?;
    }
    // A snapshot is written when something has happened since the last one.
    let written = service.metric("snapshots_written_total").await?;
    log.write(*next..*next + 1).await?;
    *next += 1;
    service.until_metric("snapshots_written_total", |now| now > written).await
}

/// Bytes of all files in `folder` and in the folders in it.
fn folder_bytes(folder: &std::path::Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
