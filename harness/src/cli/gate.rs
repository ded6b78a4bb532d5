//! `doorbuster gate`.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster gate --base main/doorbuster --head branch/doorbuster
  doorbuster gate --base old --head new --scenario flash-sale --pairs 10 --markdown

Both builds run the scenario in turn (base head, head base, …), so that what changes on the machine meanwhile hits
both. FAIL only when the 95 % interval of a figure's ratio lies beyond its margin as a whole; while an interval
lies on both sides, more pairs are run.

Exit codes: 0 pass (or inconclusive, with a warning), 99 fail (or inconclusive with --strict), 90 a measurement
stayed invalid, 91 an audit found a violation, 104 a build does not run.";

#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// The doorbuster binary to measure against
    #[arg(long, value_name = "PROGRAM")]
    pub base: PathBuf,
    /// The doorbuster binary to judge
    #[arg(long, value_name = "PROGRAM")]
    pub head: PathBuf,
    /// A scenario's file, or the name of one that ships
    #[arg(long, value_name = "SCENARIO", default_value = "smoke")]
    pub scenario: String,
    /// Pairs of runs before the first judgement
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(4..=100))]
    pub pairs: u32,
    /// Pairs of runs at most, while it is inconclusive [default: three times --pairs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=300))]
    pub max_pairs: Option<u32>,
    /// How much slower the median may be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = super::percent)]
    pub margin_p50: f64,
    /// Likewise the 95th percentile
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = super::percent)]
    pub margin_p95: f64,
    /// Likewise the 99th percentile
    #[arg(long, value_name = "PERCENT", default_value_t = 15.0, value_parser = super::percent)]
    pub margin_p99: f64,
    /// How much less may be done in a second, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = super::percent)]
    pub margin_throughput: f64,
    /// How much more CPU an order may cost, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = super::percent)]
    pub margin_cpu: f64,
    /// Fail when it stays inconclusive
    #[arg(long)]
    pub strict: bool,
    /// Decides which resamples the intervals are made of
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the runs' folders go
    #[arg(long, default_value = "reports/gate", value_name = "DIR")]
    pub to: PathBuf,
    /// Print the judgement as JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print it as Markdown
    #[arg(long)]
    pub markdown: bool,
}
