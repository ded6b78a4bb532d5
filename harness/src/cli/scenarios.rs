//! `doorbuster scenarios`.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster scenarios list
  doorbuster scenarios new my-sale --kind spike
  doorbuster scenarios check my-sale.toml other.toml
  doorbuster scenarios show targets --plan   what would run when, and what it needs of this machine

Exit codes: 0 good, 104 a file has mistakes or cannot be read.";

#[derive(Debug, Clone, Subcommand)]
pub enum ScenariosCommand {
    /// Write a scenario to start from, with a comment at every line that matters
    New {
        /// The scenario's name; the file is NAME.toml
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is to begin with
        #[arg(long, default_value = "load", value_parser = PossibleValuesParser::new(KINDS.map(|(name, _)| name)))]
        kind: String,
        /// Where to write it
        #[arg(long, value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Name every scenario that ships, with its load
    List,
    /// Tell every mistake in scenario files, with its line
    Check {
        #[arg(required = true, value_name = "FILE")]
        scenarios: Vec<String>,
    },
    /// Print a scenario's file, or what it comes to
    Show {
        #[arg(value_name = "SCENARIO")]
        scenario: String,
        /// Phases, scenarios, thresholds, and what they need of this machine
        #[arg(long)]
        plan: bool,
        /// With `--plan`: processes that would generate the load
        #[arg(long, default_value_t = 1, requires = "plan", value_parser = clap::value_parser!(u32).range(1..=64))]
        shards: u32,
    },
}

/// What `new` can write, by name: what ships under it, or a template.
pub const KINDS: [(&str, &str); 6] = [
    ("load", include_str!("../../../scenarios/load.toml")),
    ("stress", include_str!("../../../scenarios/stress.toml")),
    ("spike", include_str!("../../../scenarios/spike.toml")),
    ("endurance", include_str!("../../../scenarios/endurance.toml")),
    ("http", include_str!("../../../scenarios/templates/http.toml")),
    ("websocket", include_str!("../../../scenarios/templates/websocket.toml")),
];
