//! Measures the load generator beside k6 and oha, against the same server, and prints one table:
//! `cargo run --release -p benches --bin generators`. A tool that is not on PATH is left out. Linux only.
//!
//! | module | what it does |
//! |---|---|
//! | [`server`] | answers orders and holds sockets, in a process of its own |
//! | [`cost`] | runs a command and tells what it and its children cost |
//! | [`doorbuster`], [`k6`], [`oha`] | say the same load in each tool's words |
//! | [`report`] | compares with the goals |

mod cost;
mod doorbuster;
mod k6;
mod oha;
mod report;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use benches::process;
use clap::{Parser, Subcommand};

use crate::cost::Cost;
use crate::report::Report;
use crate::server::Server;

#[derive(Parser)]
struct Cli {
    /// A third of the time for each measurement.
    #[arg(long)]
    quick: bool,
    /// Measure only these tools.
    #[arg(long, value_delimiter = ',', default_values = ["doorbuster", "k6", "oha"])]
    tools: Vec<String>,
    /// Measure only these loads.
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// The program to measure; else the one beside this benchmark.
    #[arg(long)]
    doorbuster: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Be the server: for the benchmark itself.
    Serve,
}

/// What a tool is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// So many orders a second, each in answer to nothing but the clock.
    Rate(u32),
    /// As many orders as it can, over so many connections.
    Most { connections: u32 },
    /// So many WebSockets, held for the time.
    Sockets(u32),
}

/// What a tool did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    /// Requests that were answered, or sockets that were opened.
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) per_second: f64,
    /// How late requests were started, in milliseconds; `None` where the tool does not know.
    pub(crate) lag_p99_ms: Option<f64>,
    pub(crate) cost: Cost,
}

/// A load in one tool's words.
pub(crate) trait Tool {
    fn name(&self) -> &'static str;

    /// `None` where the tool cannot do it.
    fn run(&self, load: Load, server: &Server, time: Duration) -> anyhow::Result<Option<Done>>;
}

/// Every load with its name and its time.
const LOADS: [(&str, Load, u64); 4] = [
    ("1000", Load::Rate(1_000), 21),
    ("10000", Load::Rate(10_000), 15),
    ("most", Load::Most { connections: 64 }, 15),
    ("sockets", Load::Sockets(10_000), 20),
];

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Serve) => server::serve().map(|()| true),
        None => measure(&cli),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(99),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(104)
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<bool> {
    process::raise_descriptor_limit()?;
    let own = cli.doorbuster.clone().map_or_else(beside, Ok)?;
    let all: [Box<dyn Tool>; 3] =
        [Box::new(doorbuster::Doorbuster(own)), Box::new(k6::K6), Box::new(oha::Oha)];
    let wanted = |tool: &dyn Tool| cli.tools.iter().any(|name| name == tool.name());
    let server = Server::start()?;
    let mut report = Report::default();
    for (name, load, seconds) in LOADS {
        if !cli.loads.is_empty() && !cli.loads.iter().any(|wanted| wanted == name) {
            continue;
        }
        let time = Duration::from_secs(if cli.quick { seconds / 3 } else { seconds });
        for tool in all.iter().map(AsRef::as_ref).filter(|tool| wanted(*tool)) {
            eprintln!("measuring: {name} with {}", tool.name());
            let before = server.cpu()?;
            let done = tool
                .run(load, &server, time)
                .with_context(|| format!("{} cannot do {name}", tool.name()))?;
            if let Some(done) = done {
                report.add(load, tool.name(), done, server.cpu()? - before);
            }
        }
    }
    println!("{report}");
    Ok(report.all_met())
}

fn beside() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("doorbuster");
    anyhow::ensure!(
        program.exists(),
        "{} is not there: build it with `cargo build --release`",
        program.display()
    );
    Ok(program)
}
