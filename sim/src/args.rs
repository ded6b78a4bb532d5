//! The broker as a process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::broker::{Broker, Options};

/// Command line of `broker`.
#[derive(Debug, Clone, clap::Args)]
pub struct BrokerArgs {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub listen: String,

    /// Address that clients are told to connect to [default: the one they reached]
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_host_port)]
    pub advertise: Option<(String, u16)>,

    /// Partitions of topics that are created without a number
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub partitions: u16,

    /// Bytes that each partition keeps [default: all]
    #[arg(long, value_name = "BYTES")]
    pub retention_bytes: Option<u64>,

    /// Milliseconds for which records are kept [default: forever]
    #[arg(long, value_name = "MS")]
    pub retention_ms: Option<u64>,

    /// The largest request, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 128 * 1024 * 1024,
          value_parser = clap::value_parser!(u32).range(1024..=i64::from(i32::MAX)))]
    pub max_frame_bytes: u32,

    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// A setting by Kafka's name, as in its server.properties; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub config: Vec<(String, String)>,

    /// Stop when standard input closes
    #[arg(long)]
    pub exit_with_parent: bool,
}

fn parse_host_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT")?;
    let port = port.parse().map_err(|_| format!("{port} is not a port"))?;
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Runs a broker until SIGTERM, Ctrl-C, or the end of the parent. Prints
/// `{"ready":"broker","address":"HOST:PORT"}` as one line on standard output when it serves. Works
/// in any runtime: the broker brings a thread of its own.
///
/// # Errors
/// The address cannot be resolved or bound.
pub async fn run(args: BrokerArgs) -> anyhow::Result<()> {
    let listen = resolve(&args.listen).await?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let options = Options {
        listen,
        advertise: args.advertise.clone(),
        partitions: usize::from(args.partitions),
        retention_bytes: args.retention_bytes,
        retention: args.retention_ms.map(Duration::from_millis),
        max_frame_bytes: args.max_frame_bytes as usize,
        max_connections: args.max_connections as usize,
        config: args.config.clone(),
        seed: None,
    };
    let broker = Broker::start(options)
        .with_context(|| format!("the broker cannot start on {}", args.listen))?;
    announce(broker.address()).context("cannot write to standard output")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = parent_gone(args.exit_with_parent) => {}
    }
    broker.stop().await;
    Ok(())
}

async fn resolve(listen: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses = tokio::net::lookup_host(listen)
        .await
        .with_context(|| format!("cannot resolve {listen} (expected HOST:PORT)"))?;
    addresses.next().with_context(|| format!("{listen} has no address"))
}

fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, r#"{{"ready":"broker","address":"{address}"}}"#)?;
    stdout.flush()
}

/// Resolves when standard input closes; never, unless that was asked for.
async fn parent_gone(watched: bool) {
    if !watched {
        return std::future::pending().await;
    }
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 256];
    while matches!(stdin.read(&mut ignored).await, Ok(read) if read > 0) {}
}
