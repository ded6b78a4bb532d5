//! The command line: what can be asked for, and nothing behind it.

mod capacity;
mod compare;
mod gate;
mod merge;
mod replay;
mod report;
mod run;
mod scenarios;
mod up;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use contract::ids::ProductId;

pub use capacity::CapacityArgs;
pub use compare::CompareArgs;
pub use gate::GateArgs;
pub use merge::MergeArgs;
pub use replay::{Place, ReplayArgs};
pub use report::ReportArgs;
pub use run::{LoadArgs, RunArgs};
pub use scenarios::{KINDS, ScenariosCommand};
pub use up::UpArgs;

/// Starts an event-driven shop around Kafka, loads it, audits every order, and passes or fails.
#[derive(Debug, Parser)]
#[command(name = "doorbuster", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  doorbuster run targets                     prove the performance targets
  doorbuster run smoke --no-tui              ten seconds, for scripts and CI
  doorbuster run flash-sale --kafka HOST:9092 --reset-topics
  doorbuster up                              open the shop and keep it open
  doorbuster scenarios new my-sale           write a scenario to start from

Exit codes: 0 pass, 99 threshold crossed, 90 measurement not valid, 91 audit violation,
104 bad configuration, 105 ended by a signal.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start what the scenario needs, load it, audit every order, report, stop
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArgs>),
    /// Search the highest rate at which all thresholds of a phase hold, and draw the curve
    #[command(after_help = capacity::EXAMPLES)]
    Capacity(Box<CapacityArgs>),
    /// Start the whole shop on its known ports and stay until Ctrl-C
    #[command(after_help = up::EXAMPLES)]
    Up(UpArgs),
    /// Run the embedded Kafka broker alone, for any Kafka client
    #[command(after_help = BROKER_EXAMPLES)]
    Broker(sim::BrokerArgs),
    /// Run one service of the shop
    Service {
        #[command(subcommand)]
        service: Box<services::ServiceCommand>,
    },
    /// Check the orders in the topics of any Kafka cluster
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArgs),
    /// Check a running service's state against the log, or set back a consumer group
    #[command(after_help = replay::EXAMPLES)]
    Replay(Box<ReplayArgs>),
    /// Render the reports of a run again
    #[command(after_help = report::EXAMPLES)]
    Report(ReportArgs),
    /// Put two runs side by side: what differs, by how much, and how sure that is
    #[command(after_help = compare::EXAMPLES)]
    Compare(CompareArgs),
    /// Make one result of the segments of a test that ran on several machines
    #[command(after_help = merge::EXAMPLES)]
    Merge(MergeArgs),
    /// Run two builds in turn and judge whether one is slower
    #[command(after_help = gate::EXAMPLES)]
    Gate(GateArgs),
    /// Write, list, check or print scenarios
    #[command(after_help = scenarios::EXAMPLES)]
    Scenarios {
        #[command(subcommand)]
        command: ScenariosCommand,
    },
    /// Generate load for a parent that gives the plan on standard input
    #[command(hide = true)]
    Load,
}

/// A shop that is deployed already: all three or none.
#[derive(Debug, Clone, Args)]
pub struct DeployedUrls {
    /// Load the order service at this URL instead of starting the shop; several instances take turns
    #[arg(
        long,
        requires = "status_url",
        requires = "inventory_url",
        value_name = "URL,…",
        value_delimiter = ','
    )]
    pub order_url: Vec<String>,
    /// Its status service, likewise
    #[arg(long, requires = "order_url", value_name = "URL,…", value_delimiter = ',')]
    pub status_url: Vec<String>,
    /// Its inventory service, likewise
    #[arg(long, requires = "order_url", value_name = "URL,…", value_delimiter = ',')]
    pub inventory_url: Vec<String>,
}

const BROKER_EXAMPLES: &str = "\
Examples:
  doorbuster broker                          on 127.0.0.1:9092
  doorbuster broker --listen 127.0.0.1:0     on a free port, told on standard output";

const AUDIT_EXAMPLES: &str = "\
Examples:
  doorbuster audit --kafka localhost:9092
  doorbuster audit --kafka localhost:9092 --gateway http://localhost:8086 \\
      --status http://localhost:8085 --inventory http://localhost:8081 \\
      --stock product-1=1000,product-2=1000,product-3=1000
  doorbuster audit --kafka localhost:9092 --journal reports/RUN/journal/shard-0.jsonl --json";

#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// The Kafka that holds the topics
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: String,
    /// What the load generator was told; may be given several times
    #[arg(long, value_name = "FILE")]
    pub journal: Vec<PathBuf>,
    /// The payment gateway, for its ledger
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// The status service, to compare what each of its instances shows with the log
    #[arg(long, value_name = "URL,…", value_delimiter = ',')]
    pub status: Vec<String>,
    /// The inventory service, to compare what each of its instances shows with the log
    #[arg(long, value_name = "URL,…", value_delimiter = ',', requires = "stock")]
    pub inventory: Vec<String>,
    /// Pieces of each product at the beginning
    #[arg(long, value_name = "PRODUCT=PIECES,…", value_parser = stock)]
    pub stock: Option<Stock>,
    /// The shop's PostgreSQL, to compare its tables with the log
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, value_parser = database)]
    pub database: Option<DatabaseUrl>,
    /// No process died: a decision that was taken twice is a violation
    #[arg(long)]
    pub undisturbed: bool,
    /// Seconds without a new record after which an order that has not ended is stuck
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub stuck_after: u64,
    /// Print the whole report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where a database is; nothing where the variable is there and empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub Option<String>);

/// Never fails: what is wrong with a URL is told by whoever connects, and without its password.
fn database(text: &str) -> Result<DatabaseUrl, std::convert::Infallible> {
    Ok(DatabaseUrl(Some(text.trim().to_owned()).filter(|url| !url.is_empty())))
}

/// The URL, if there is one.
#[must_use]
pub fn database_url(given: Option<&DatabaseUrl>) -> Option<String> {
    given.and_then(|DatabaseUrl(url)| url.clone())
}

/// Pieces by product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock(pub BTreeMap<ProductId, u64>);

fn stock(text: &str) -> Result<Stock, String> {
    let pair = |pair: &str| {
        let (product, pieces) =
            pair.split_once('=').ok_or_else(|| format!("{pair:?} is not PRODUCT=PIECES"))?;
        let product = product.parse::<ProductId>().map_err(|error| error.to_string())?;
        let pieces = pieces.parse().map_err(|_| format!("{pieces:?} is no number of pieces"))?;
        Ok((product, pieces))
    };
    text.split(',').map(pair).collect::<Result<_, String>>().map(Stock)
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".into()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if percent >= 0.0 && percent.is_finite() { Ok(percent) } else { Err("below 0".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn stock_is_read_or_refused_with_a_reason() {
        let read = stock("product-1=500,product-3=0").unwrap();
        assert_eq!(read.0, BTreeMap::from([(ProductId::Product1, 500), (ProductId::Product3, 0)]));
        for (text, reason) in [
            ("product-1", "PRODUCT=PIECES"),
            ("product-9=1", "product-9"),
            ("product-1=x", "\"x\""),
        ] {
            assert!(stock(text).unwrap_err().contains(reason));
        }
    }

    #[test]
    fn a_deployed_shop_is_named_whole_or_not_at_all() {
        let run =
            |more: &[&str]| Cli::try_parse_from(["doorbuster", "run", "smoke"].iter().chain(more));
        assert!(run(&[]).is_ok());
        assert!(run(&["--order-url", "http://a:1"]).is_err());
        let all = ["--order-url", "http://a:1", "--status-url", "http://a:2"];
        assert!(run(&all).is_err());
        let all = [&all[..], &["--inventory-url", "http://a:3,http://b:3"]].concat();
        let Command::Run(args) = run(&all).unwrap().command else { panic!("no run") };
        assert_eq!(args.deployed.inventory_url, ["http://a:3", "http://b:3"]);
        assert!(run(&[&all[..], &["--replicas", "order=2"]].concat()).is_err());
    }
}
