//! `doorbuster merge`.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster run sale.toml --segment 1/2     on one machine, and 2/2 on the other at the same time
  doorbuster merge reports/RUN-1 reports/RUN-2

The exit code is the merged run's verdict, as that of `doorbuster run`; 104 when the runs are not all the
segments of one test.";

#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// The folders of all segments, in any order
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where the folder of the merged run goes
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub to: PathBuf,
}
