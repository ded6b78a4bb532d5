//! What a WebSocket costs the status service: `cargo run --release -p benches --bin sockets`.
//!
//! Real sockets from addresses of 127/8, five from each as the specification allows, against a status service in
//! a process of its own. Each watches an order that has ended; what the orders cost is measured apart. Exits
//! with 99 when a socket costs more than the goal.

mod client;

use std::net::Ipv4Addr;

use anyhow::ensure;
use benches::child::{Service, get};
use benches::orders::{Orders, id};
use benches::process::raise_descriptor_limit;
use clap::Parser;
use services::ServiceCommand;
use tokio::net::TcpStream;

/// As the shop's own binary: the figure is the allocator's too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sockets opened before the first look: they bring in what the process needs once.
const WARM_UP: usize = 100;

/// Sockets of one address (specification §5.2).
const PER_ADDRESS: usize = 5;

/// Handshakes under way at once.
const AT_ONCE: usize = 64;

const MISSED: u8 = 99;

#[derive(Parser)]
struct CommandLine {
    /// How many sockets are opened.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    sockets: u32,
    /// Bytes that each may cost.
    #[arg(long, default_value_t = 12 * 1024)]
    goal: usize,
    #[command(subcommand)]
    service: Option<ServiceCommand>,
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    let CommandLine { sockets, goal, service } = CommandLine::parse();
    raise_descriptor_limit()?;
    let runtime = services::runtime()?;
    if let Some(service) = service {
        runtime.block_on(services::run(service))?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let each = runtime.block_on(measure(usize::try_from(sockets)?))?;
    println!("{each} bytes for each of {sockets} WebSockets; the goal is {goal}");
    Ok(std::process::ExitCode::from(if each <= goal { 0 } else { MISSED }))
}

async fn measure(sockets: usize) -> anyhow::Result<usize> {
    let broker = sim::Broker::start()?;
    let data = tempfile::tempdir()?;
    let (kafka, folder) = (broker.address().to_string(), data.path().display().to_string());
    let all_stay = (WARM_UP + sockets).to_string();
    let status = Service::start(&[
        "status",
        "--kafka",
        &kafka,
        "--data-dir",
        &folder,
        "--status-limit",
        "0",
        "--recent-orders",
        &all_stay,
    ])
    .await?;
    let orders = Orders::at(broker.address()).await?;
    let empty = status.memory_bytes()?;
    orders.write(0..WARM_UP + sockets).await?;
    let last = format!("/status/{}", id(WARM_UP + sockets - 1));
    status.until(async || Ok(get(status.address, &last).await?.contains("Shipped"))).await?;
    let warm = open(&status, 0..WARM_UP).await?;
    let before = status.memory_bytes()?;
    println!("{} bytes for each of their orders", (before - empty) / (WARM_UP + sockets));
    let all = open(&status, WARM_UP..WARM_UP + sockets).await?;
    let after = status.memory_bytes()?;
    ensure!(warm.len() + all.len() == WARM_UP + sockets, "a socket is missing");
    Ok(after.saturating_sub(before) / sockets)
}

/// Opens a socket for each of these orders; each has been shown its order.
async fn open(status: &Service, numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(numbers.len());
    let mut opening = tokio::task::JoinSet::new();
    for number in numbers {
        if opening.len() >= AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            open.push(opened??);
        }
        opening.spawn(client::watch(address(number)?, status.address, id(number).to_string()));
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    Ok(open)
}

/// The loopback address that a socket comes from.
fn address(number: usize) -> anyhow::Result<Ipv4Addr> {
    // The network's own address is left out.
    let number = u32::try_from(number / PER_ADDRESS)? + 2;
    Ok(Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number))
}
