//! `doorbuster compare`.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster compare reports/BEFORE reports/AFTER
  doorbuster compare reports/BEFORE reports/AFTER --markdown >> $GITHUB_STEP_SUMMARY
  doorbuster compare reports/BEFORE reports/AFTER --fail-on-regression 10

Exit codes: 0 compared, 99 something is clearly worse by more than --fail-on-regression, 104 a run cannot be read.";

#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The run before: its folder, or its run.json.gz
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The run after
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Print it as JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print it as Markdown
    #[arg(long)]
    pub markdown: bool,
    /// Exit with 99 when a figure is clearly worse by more than so many percent
    #[arg(long, value_name = "PERCENT", value_parser = super::percent)]
    pub fail_on_regression: Option<f64>,
}
