//! One run of one build, and what its summary says.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use loadgen::report::Verdict;
use serde_json::Value;
use tokio::process::Command;

use super::figures::{Figures, figures};
use crate::say;

/// How often a run is repeated whose generator could not keep up.
const REPEATS: u32 = 2;
/// For a program to print its help.
const HELP_TIMEOUT: Duration = Duration::from_secs(20);
/// What a program said that is shown when it fails.
const SHOWN_CHARACTERS: usize = 2000;

/// A build to measure.
pub struct Build {
    pub name: &'static str,
    program: PathBuf,
    /// What it calls the folder of reports.
    folder_flag: &'static str,
}

/// How a measurement ended.
pub enum Measured {
    Figures(Figures),
    /// The generator could not keep up, whenever it was tried.
    Invalid,
    /// An order was lost, doubled or treated wrongly.
    Violated,
    Interrupted,
}

impl Build {
    /// # Errors
    /// The program is not there, or is no doorbuster.
    pub async fn find(name: &'static str, program: &Path) -> anyhow::Result<Self> {
        let program = std::fs::canonicalize(program)
            .with_context(|| format!("--{name} {}: there is no such program", program.display()))?;
        let mut help = Command::new(&program);
        help.args(["run", "--help"]).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(HELP_TIMEOUT, help.output())
            .await
            .with_context(|| format!("{} does not answer", program.display()))?
            .with_context(|| format!("{} does not run", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let folder_flag = match (text.contains("--reports"), text.contains("--out")) {
            (true, _) => "--reports",
            (false, true) => "--out",
            (false, false) => bail!("{} is no doorbuster: it has no `run`", program.display()),
        };
        Ok(Self { name, program, folder_flag })
    }

    /// Runs the scenario once; again where the measurement was not valid.
    ///
    /// # Errors
    /// The run did not take place, or left no summary.
    pub async fn measure(&self, scenario: &str, folder: &Path) -> anyhow::Result<Measured> {
        for attempt in 0..=REPEATS {
            let folder = folder.join(format!("{}-{attempt}", self.name));
            let output = Command::new(&self.program)
                .args(["run", scenario, "--no-tui", self.folder_flag])
                .arg(&folder)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output()
                .await
                .with_context(|| format!("{} does not run", self.program.display()))?;
            let is =
                |verdict: Verdict| output.status.code() == Some(i32::from(verdict.exit_code()));
            if is(Verdict::Invalid) {
                say::aside(format_args!("  {}: not valid, measured again\n", self.name));
                continue;
            }
            if is(Verdict::AuditViolation) {
                return Ok(Measured::Violated);
            }
            if is(Verdict::Interrupted) {
                return Ok(Measured::Interrupted);
            }
            if !is(Verdict::Pass) && !is(Verdict::ThresholdCrossed) {
                let said = String::from_utf8_lossy(&output.stderr);
                let from = said.char_indices().rev().nth(SHOWN_CHARACTERS).map_or(0, |(at, _)| at);
                let (program, end) = (self.program.display(), &said[from..]);
                bail!("{program} run {scenario} ended with {}: {}", output.status, end.trim());
            }
            return Ok(Measured::Figures(figures(&summary(&folder)?)));
        }
        Ok(Measured::Invalid)
    }
}

/// The only run's summary in a folder of reports.
fn summary(folder: &Path) -> anyhow::Result<Value> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("no report in {}", folder.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path().join("summary.json")));
    let file = files
        .filter(|file| file.is_file())
        .max()
        .with_context(|| format!("no summary.json in {}", folder.display()))?;
    let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
}
