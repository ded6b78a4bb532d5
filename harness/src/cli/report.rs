//! `doorbuster report`.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster report                          the newest run in reports/, every file anew
  doorbuster report reports/RUN --format html
  doorbuster report reports/RUN --format markdown --stdout | gh pr comment --body-file -";

#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// A run's folder, or its run.json.gz [default: the newest run in reports/]
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Only these: json, html, markdown, text, junit, csv, hlog, archive
    #[arg(long, value_name = "FORMAT,…", value_delimiter = ',')]
    pub format: Vec<String>,
    /// Where the files go [default: the run's folder]
    #[arg(long, value_name = "DIR", conflicts_with = "stdout")]
    pub to: Option<PathBuf>,
    /// Write the one format asked for to standard output instead
    #[arg(long, requires = "format")]
    pub stdout: bool,
}
