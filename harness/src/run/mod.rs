//! `doorbuster run`: each scenario's phases in order, each on a fresh shop; audit, report, verdict.
//!
//! | module | what it does |
//! |---|---|
//! | [`phase`] | one phase: shop, load, chaos, drain, audit |
//! | `describe` | how it went, for its report |
//! | [`load`] | the load itself, from the first iteration to the last |
//! | [`steering`] | what the person at the keyboard may do to it |
//! | [`screen`] | the dashboard, or one line a second |
//! | [`kafka`] | a Kafka that is not ours: is it there, is it empty |
//! | [`disturbances`] | what was done to the shop meanwhile |
//! | [`environment`] | the machine and the software, for the report |

mod describe;
pub mod disturbances;
pub mod environment;
pub mod kafka;
pub mod load;
pub mod phase;
pub mod screen;
pub mod steering;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use contract::Timestamp;
use loadgen::color;
use loadgen::output::Outputs;
use loadgen::report::{self, RunReport, Verdict};

use crate::audit::reader;
use crate::cli::{RunArgs, database_url};
use crate::database;
use crate::exit::Outcome;
use crate::say;
use crate::scenarios::{self, Loaded};
use crate::supervise::signals::Signals;
use phase::{PhaseEnd, PhaseRun};
use screen::{Screen, Wanted};

/// Runs every scenario asked for. The verdict is the gravest of theirs.
///
/// # Errors
/// A scenario has mistakes, Kafka does not answer, a process does not start, a report cannot be written.
pub async fn run(args: RunArgs) -> anyhow::Result<Outcome> {
    let loaded = args.scenarios.iter().map(|name| scenarios::load(name)).collect::<Vec<_>>();
    let mut loaded = loaded.into_iter().collect::<anyhow::Result<Vec<Loaded>>>()?;
    if args.no_color {
        color::refuse();
    }
    for scenario in &mut loaded {
        prepare(&args, scenario)?;
    }
    let outputs = Arc::new(Outputs::open(&args.outputs)?);
    if let Some(kafka) = &args.kafka {
        reader::connect(kafka, kafka::PATIENCE).await?;
    }
    if let Some(url) = database_url(args.database.as_ref()) {
        database::connect(&url).await?;
    }
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let mut gravest = Verdict::Pass;
    // What is in the shop's topics is from an earlier phase of this very run, which found them empty.
    let mut ours = args.reset_topics;
    for scenario in loaded {
        let verdict = run_scenario(&args, scenario, &mut ours, &outputs, &mut signals).await?;
        gravest = gravest.max(verdict);
        if verdict == Verdict::Interrupted {
            break;
        }
    }
    for failure in outputs.close() {
        say::aside(format_args!("{failure}\n"));
    }
    Ok(Outcome::Judged(gravest))
}

/// Lets the command line have its say, and finds out up front what cannot be.
pub(crate) fn prepare(args: &RunArgs, scenario: &mut Loaded) -> anyhow::Result<()> {
    let overridden = args.load.overrides().apply(&mut scenario.file);
    overridden.map_err(anyhow::Error::msg).with_context(|| scenario.file.name.clone())?;
    for (phase, settings) in scenario.file.phases.iter().zip(&mut scenario.settings) {
        if let Some(replicas) = &args.replicas {
            settings.shop.replicas = replicas.clone();
        }
        let checked = settings
            .check(database_url(args.database.as_ref()).is_some())
            .map_err(anyhow::Error::msg);
        checked.with_context(|| format!("{}, phase {}", scenario.file.name, phase.name))?;
    }
    Ok(())
}

async fn run_scenario(
    args: &RunArgs,
    mut scenario: Loaded,
    ours: &mut bool,
    outputs: &Arc<Outputs>,
    signals: &mut Signals,
) -> anyhow::Result<Verdict> {
    let started_at = Timestamp::from(SystemTime::now());
    let folder = RunFolder::create(&args.reports, &scenario.file.name, started_at)?;
    for phase in &mut scenario.file.phases {
        if args.scale != 1.0 {
            phase.scale(args.scale);
        }
    }
    let face = Wanted { no_tui: args.no_tui, quiet: args.quiet };
    let mut screen = Screen::open(face, &scenario.file.name, scenario.file.phases.len());
    if args.paused && !screen.has_keys() {
        screen.close().await;
        bail!("--paused waits for `p` in the dashboard, and this is no terminal to show it on");
    }
    let mut phases = Vec::new();
    let mut verdict = Verdict::Pass;
    let pairs = scenario.file.phases.iter().zip(&scenario.settings);
    for (index, (phase, settings)) in pairs.enumerate() {
        let folder = folder.phase(&phase.name)?;
        let run = PhaseRun {
            args,
            scenario: &scenario.file.name,
            phase,
            settings,
            folder,
            index,
            delete_topics: *ours,
            outputs,
        };
        let ended = run.run(&mut screen, signals).await;
        *ours |= settings.shop.services;
        let PhaseEnd { report, verdict: judged } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                screen.close().await;
                return Err(error.context(format!("phase {}", phase.name)));
            }
        };
        verdict = verdict.max(judged);
        phases.push(report);
        if judged == Verdict::Interrupted || screen.interrupted() {
            verdict = verdict.max(Verdict::Interrupted);
            break;
        }
    }
    screen.close().await;
    let report = RunReport {
        scenario: scenario.file.name,
        started_at,
        verdict,
        environment: environment::describe(args),
        phases,
    };
    report::write_all(&folder.path, &report).context("cannot write the report")?;
    if let Some(path) = &args.summary_export {
        export(&folder.path, path)?;
    }
    say::text(report::text(&report));
    say::line(format_args!("report: {}", folder.path.display()));
    Ok(verdict)
}

/// The summary for whoever looks for it in one place, as in k6.
fn export(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let copied = std::fs::copy(folder.join("summary.json"), path);
    copied.with_context(|| format!("cannot write the summary to {}", path.display()))?;
    Ok(())
}

/// The folder of one run: `<UTC time>-<scenario>`.
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
}

impl RunFolder {
    pub(crate) fn create(reports: &Path, scenario: &str, at: Timestamp) -> anyhow::Result<Self> {
        let name = format!("{}-{scenario}", at.format("%Y%m%dT%H%M%S%3fZ"));
        let path = reports.join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot create the folder {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where a phase's journals and its processes' logs go.
    pub(crate) fn phase(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        for part in ["journal", "logs"] {
            let path = path.join(part);
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot create the folder {}", path.display()))?;
        }
        Ok(path)
    }
}
