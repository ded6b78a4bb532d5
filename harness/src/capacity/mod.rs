//! `doorbuster capacity`: the highest rate at which all thresholds of a phase hold.
//!
//! | module | what it does |
//! |---|---|
//! | [`search`] | what to try next |
//! | [`curve`] | what was measured, for people and programs |
//!
//! Every attempt is a whole run of the phase on a fresh shop, audit included.

pub mod curve;
pub mod search;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use contract::Timestamp;
use loadgen::output::Outputs;
use loadgen::report::{self, RunReport, Verdict};
use loadgen::scenario::Phase;
use serde_json::json;

use crate::cli::{CapacityArgs, RunArgs};
use crate::exit::Outcome;
use crate::run::phase::{PhaseEnd, PhaseRun};
use crate::run::screen::{Screen, Wanted};
use crate::run::{self, RunFolder, environment};
use crate::say;
use crate::scenarios::{self, Loaded};
use crate::supervise::signals::Signals;
use curve::Point;
use search::{Attempt, Next, Range, Search};

/// Searches, draws the curve and says where the highest rate is.
///
/// # Errors
/// The scenario cannot be searched, or a run of it fails to start.
pub async fn capacity(args: CapacityArgs) -> anyhow::Result<Outcome> {
    let [scenario] = &args.run.scenarios[..] else {
        bail!("capacity searches one scenario at a time");
    };
    let mut loaded = scenarios::load(scenario)?;
    run::prepare(&args.run, &mut loaded)?;
    let range = range(&args)?;
    let subject = Subject::choose(&args, &loaded)?;
    let started_at = Timestamp::from(SystemTime::now());
    let name = format!("capacity-{}", loaded.file.name);
    let folder = RunFolder::create(&args.run.reports, &name, started_at)?;
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let face = Wanted { no_tui: args.run.no_tui, quiet: args.run.quiet };
    let mut screen = Screen::open(face, &name, 1);
    let mut points = Vec::new();
    let searched = subject.search(range, &folder, &mut points, &mut screen, &mut signals).await;
    screen.close().await;
    for failure in subject.outputs.close() {
        say::aside(format_args!("{failure}\n"));
    }
    // What was measured before something went wrong was measured.
    write(&folder.path, &loaded.file.name, &args.run, &points)?;
    say::text(curve::text(&points));
    say::line(format_args!("curve: {}", folder.path.display()));
    let end = searched?;
    let (said, verdict) = told(end);
    say::line(said);
    let violated = points.iter().any(|point| point.verdict == Verdict::AuditViolation);
    Ok(Outcome::Judged(if violated { Verdict::AuditViolation } else { verdict }))
}

fn range(args: &CapacityArgs) -> anyhow::Result<Range> {
    let CapacityArgs { from, to, step, precision, .. } = *args;
    if to < from {
        bail!("--to {to} lies below --from {from}");
    }
    Ok(Range { from, to, step, precision })
}

/// How it ended, in a sentence. `None`: somebody ended it.
fn told(end: Option<Next>) -> (String, Verdict) {
    match end {
        Some(Next::Found { holds, crossed }) => (
            format!("highest rate at which everything holds: {holds}/s ({crossed}/s does not)"),
            Verdict::Pass,
        ),
        Some(Next::AllHeld(rate)) => (
            format!("everything holds up to {rate}/s, where the search ends: --to goes further"),
            Verdict::Pass,
        ),
        Some(Next::NoneHeld(rate)) => {
            (format!("not even {rate}/s holds"), Verdict::ThresholdCrossed)
        }
        Some(Next::Unmeasured { rate, holds }) => {
            let known = holds.map_or(String::new(), |rate| format!("; {rate}/s holds"));
            (
                format!(
                    "the search ends at {rate}/s: the generator itself was too slow, so nothing can be said{known}"
                ),
                Verdict::Invalid,
            )
        }
        Some(Next::Try(_)) | None => {
            ("the search was ended early".to_owned(), Verdict::Interrupted)
        }
    }
}

/// What is run again and again.
struct Subject<'a> {
    args: &'a RunArgs,
    loaded: &'a Loaded,
    index: usize,
    /// The phase's own highest rate.
    peak: f64,
    outputs: Arc<Outputs>,
}

impl<'a> Subject<'a> {
    fn choose(args: &'a CapacityArgs, loaded: &'a Loaded) -> anyhow::Result<Self> {
        let phases = &loaded.file.phases;
        let index = match &args.phase {
            None => 0,
            Some(name) => {
                phases.iter().position(|phase| phase.name == *name).with_context(|| {
                    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
                    format!("there is no phase {name:?}: there are {}", names.join(", "))
                })?
            }
        };
        let phase = phases.get(index).context("a scenario without a phase")?;
        let peak = peak_rate(phase);
        if peak <= 0.0 {
            bail!("phase {} starts nothing at a rate, so there is none to search", phase.name);
        }
        let outputs = Arc::new(Outputs::open(&args.run.outputs)?);
        Ok(Self { args: &args.run, loaded, index, peak, outputs })
    }

    /// `None` when somebody ended it.
    async fn search(
        &self,
        range: Range,
        folder: &RunFolder,
        points: &mut Vec<Point>,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> anyhow::Result<Option<Next>> {
        let mut search = Search::new(range);
        screen.notice(curve::head().to_owned());
        while let Next::Try(rate) = search.next() {
            let point = self.attempt(rate, points.len(), folder, screen, signals).await?;
            if point.verdict == Verdict::Interrupted || screen.interrupted() {
                return Ok(None);
            }
            let longest = points.iter().map(|point| point.p95_ms).fold(point.p95_ms, f64::max);
            screen.notice(curve::line(&point, longest));
            search.record(match point.verdict {
                Verdict::Pass => Attempt::Holds,
                Verdict::Invalid => Attempt::Invalid,
                _ => Attempt::Crossed,
            });
            points.push(point);
        }
        Ok(Some(search.next()))
    }

    async fn attempt(
        &self,
        rate: u64,
        number: usize,
        folder: &RunFolder,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> anyhow::Result<Point> {
        let mut phase = self.loaded.file.phases[self.index].clone();
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let factor = rate as f64 / self.peak;
        phase.at_rate(factor);
        phase.name = format!("{:02}-at-{rate}", number + 1);
        let started_at = Timestamp::from(SystemTime::now());
        let own = folder.phase(&phase.name)?;
        let run = PhaseRun {
            args: self.args,
            scenario: &self.loaded.file.name,
            phase: &phase,
            settings: &self.loaded.settings[self.index],
            folder: own.clone(),
            index: 0,
            // What an attempt leaves there is ours.
            delete_topics: self.args.reset_topics || number > 0,
            outputs: &self.outputs,
        };
        let ended = run.run(screen, signals).await;
        let PhaseEnd { report, verdict } = ended.with_context(|| format!("at {rate}/s"))?;
        let point = Point::of(rate, phase.load_duration(), &report, verdict);
        let run = RunReport {
            scenario: self.loaded.file.name.clone(),
            started_at,
            verdict,
            environment: environment::describe(self.args),
            phases: vec![report],
        };
        report::write_all(&own, &run).context("cannot write the report")?;
        Ok(point)
    }
}

fn peak_rate(phase: &Phase) -> f64 {
    let seconds = (0..=phase.load_duration().as_secs()).map(Duration::from_secs);
    seconds.map(|at| phase.target_rate(at)).fold(0.0, f64::max)
}

fn write(folder: &Path, scenario: &str, args: &RunArgs, points: &[Point]) -> anyhow::Result<()> {
    let json = json!({
        "scenario": scenario,
        "environment": environment::describe(args),
        "points": points,
    });
    let files = [
        ("capacity.txt", curve::text(points)),
        ("capacity.csv", curve::csv(points)),
        ("capacity.json", format!("{json:#}\n")),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
