//! `doorbuster capacity` on the command line.

use clap::Args;

use super::RunArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster capacity targets --from 1200 --step 200 --to 3000
  doorbuster capacity flash-sale --from 100 --precision 25
  doorbuster capacity postgres --database postgres://shop:secret@localhost/shop --from 300";

#[derive(Debug, Clone, Args)]
pub struct CapacityArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// The phase to search; the first one otherwise
    #[arg(long, value_name = "NAME")]
    pub phase: Option<String>,
    /// The rate per second to begin with
    #[arg(long, default_value_t = 500, value_name = "RATE", value_parser = rate())]
    pub from: u64,
    /// The highest rate to try
    #[arg(long, default_value_t = 20_000, value_name = "RATE", value_parser = rate())]
    pub to: u64,
    /// Go up by so much; otherwise to the double
    #[arg(long, value_name = "RATE", value_parser = rate())]
    pub step: Option<u64>,
    /// How exactly the rate is to be found
    #[arg(long, default_value_t = 50, value_name = "RATE", value_parser = rate())]
    pub precision: u64,
}

fn rate() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=1_000_000)
}
