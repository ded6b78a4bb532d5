//! `doorbuster report`, `compare` and `merge`: what runs have left behind.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use loadgen::compare::Comparison;
use loadgen::report::{self, ARCHIVE_FILE, FORMATS, Format, RunReport};

use crate::cli::{CompareArgs, MergeArgs, ReportArgs};
use crate::exit::Outcome;
use crate::run::RunFolder;
use crate::say;

/// Where runs are looked for when none is named.
const DEFAULT_FOLDER: &str = "reports";
/// Segments that began further apart did not make their load at the same time.
const MOST_SKEW: std::time::Duration = std::time::Duration::from_secs(2);

/// Renders a run again.
///
/// # Errors
/// The run cannot be read, there is no such format, a file cannot be written.
pub fn report(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let wanted = args.format.iter().map(|name| format(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let place = match &args.run {
        Some(place) => place.clone(),
        None => newest(Path::new(DEFAULT_FOLDER))?,
    };
    let run = report::load(&place)?;
    if args.stdout {
        let [only] = wanted[..] else { bail!("--stdout takes one format, not {}", wanted.len()) };
        // Whoever no longer reads has seen enough.
        let _ = io::stdout().lock().write_all(&only.render(&run)?);
        return Ok(Outcome::Done);
    }
    let folder = match (&args.to, place.is_dir()) {
        (Some(folder), _) => folder.clone(),
        (None, true) => place,
        (None, false) => place.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let written = match wanted.is_empty() {
        true => report::write_all(&folder, &run)?,
        false => report::write(&folder, &run, &wanted)?,
    };
    if wanted.is_empty() {
        say::text(report::text(&run));
    }
    for file in written {
        say::line(file.display());
    }
    Ok(Outcome::Done)
}

/// Puts two runs side by side.
///
/// # Errors
/// One of them cannot be read.
pub fn compare(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let (a, b) = (report::load(&args.a)?, report::load(&args.b)?);
    let name = |place: &Path| place.display().to_string();
    let comparison = Comparison::of((&name(&args.a), &a), (&name(&args.b), &b));
    if comparison.phases.is_empty() {
        bail!("the two runs have no phase in common: {}", comparison.notes.join("; "));
    }
    if args.json {
        say::line(serde_json::to_string_pretty(&comparison)?);
    } else if args.markdown {
        say::text(comparison.markdown());
    } else {
        say::text(comparison.text());
    }
    let Some(percent) = args.fail_on_regression else { return Ok(Outcome::Done) };
    let mut outcome = Outcome::Done;
    for (phase, row) in comparison.regressions(percent) {
        let ratio =
            row.ratio.map_or("more than before".to_owned(), |ratio| format!("{ratio:.3} times"));
        let text = format!("regression: {phase}, {} {}: {ratio}\n", row.subject, row.figure);
        say::aside(text);
        outcome = Outcome::Regression;
    }
    Ok(outcome)
}

/// Makes one run of the segments of a test.
///
/// # Errors
/// One cannot be read, they are not all the segments of one test, the report cannot be written.
pub fn merge(args: &MergeArgs) -> anyhow::Result<Outcome> {
    let mut runs: Vec<(String, RunReport)> = Vec::with_capacity(args.runs.len());
    for place in &args.runs {
        runs.push((place.display().to_string(), report::load(place)?));
    }
    let skew = report::skew(&runs);
    if skew > MOST_SKEW {
        let text = format!(
            "warning: the segments began {:.1} s apart, so their load was not one load\n",
            skew.as_secs_f64()
        );
        say::aside(text);
    }
    let merged = report::merge(runs)?;
    let folder =
        RunFolder::create(&args.to, &format!("{}-merged", merged.scenario), merged.started_at)?;
    report::write_all(&folder.path, &merged).context("cannot write the report")?;
    say::text(report::text(&merged));
    say::line(format_args!("report: {}", folder.path.display()));
    Ok(Outcome::Judged(merged.verdict))
}

fn format(name: &str) -> anyhow::Result<&'static dyn Format> {
    let known = FORMATS.iter().find(|format| format.name() == name);
    known.copied().with_context(|| {
        let names = FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        format!("there is no format {name:?}: use {names}")
    })
}

/// Folders begin with the time of their run.
fn newest(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("there is no folder {}: name a run", folder.display()))?;
    let runs = entries.filter_map(|entry| Some(entry.ok()?.path()));
    runs.filter(|path| path.join(ARCHIVE_FILE).is_file())
        .max()
        .with_context(|| format!("there is no run in {}: name one", folder.display()))
}
