//! Reports of a run: one value ([`RunReport`]), one file per format.

mod archive;
pub(crate) mod audit;
pub(crate) mod digest;
pub mod figures;
pub mod hdr;
mod html;
mod junit;
pub(crate) mod markdown;
mod merge;
mod model;
mod summary;
mod text;
mod timeline;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::metrics::{Aggregate, Unit, builtin};
use crate::scenario::duration;
use crate::threshold::ThresholdVerdict;

pub use archive::{ARCHIVE_FILE, ArchiveError, load};
pub use html::html;
pub use markdown::markdown;
pub use merge::{MergeRunsError, merge, skew};
pub use model::{
    Disturbance, DisturbanceKind, PhaseReport, ProcessUsage, RatePlan, Recovery, RunReport,
    UsageLine, UsagePoint, Validity, Verdict,
};
pub use summary::summary;
pub use text::{text, text_in};

/// A format of a run's report: a file in the run's folder.
pub trait Format: Sync {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;
    /// The name of its file.
    fn file_name(&self) -> &'static str;
    /// The file's contents.
    ///
    /// # Errors
    /// When the contents cannot be encoded.
    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>>;
}

/// The register of formats: every run writes one file of each.
pub const FORMATS: &[&dyn Format] = &[
    &summary::Json,
    &html::Html,
    &markdown::Markdown,
    &text::Text,
    &junit::Junit,
    &timeline::Timeline,
    &hdr::IntervalLog,
    &archive::Archive,
];

/// Writes every format into the folder, which must exist. Gives the files written.
///
/// # Errors
/// When a file cannot be written, with its name; files written before it stay.
pub fn write_all(folder: &Path, run: &RunReport) -> io::Result<Vec<PathBuf>> {
    write(folder, run, FORMATS)
}

/// Writes these formats, likewise.
///
/// # Errors
/// As in [`write_all`].
pub fn write(folder: &Path, run: &RunReport, formats: &[&dyn Format]) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::with_capacity(formats.len());
    for format in formats {
        let path = folder.join(format.file_name());
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        std::fs::write(&path, format.render(run).map_err(named)?).map_err(named)?;
        written.push(path);
    }
    Ok(written)
}

/// A counter's, gauge's or rate's figure and what to say beside it. `None` for trends, which have
/// a table of their own.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn total(metric: &str, samples: &Aggregate, duration: Duration) -> Option<(String, String)> {
    let in_bytes = builtin::find(metric).is_some_and(|metric| metric.unit == Unit::Bytes);
    let shown = if in_bytes { figures::bytes } else { figures::count };
    match samples {
        Aggregate::Counter(count) => {
            let rate = *count as f64 / duration.as_secs_f64().max(f64::MIN_POSITIVE);
            Some((shown(*count as f64), format!("{}/s", shown(rate))))
        }
        Aggregate::Gauge(gauge) => {
            let extremes = format!("min {}, max {}", shown(gauge.min), shown(gauge.max));
            Some((shown(gauge.value), extremes))
        }
        Aggregate::Rate(rate) => {
            let (passes, total) = (rate.passes as f64, rate.total as f64);
            let of = format!("{} of {}", figures::count(passes), figures::count(total));
            Some((figures::percent(rate.share()), of))
        }
        Aggregate::Trend(_) => None,
    }
}

/// How far a threshold's value is from its limit, in words.
fn margin_line(verdict: &ThresholdVerdict) -> String {
    let shown = |value: f64| figures::threshold(&verdict.threshold, value);
    let margin = match verdict.margin {
        // Equality is met or missed: there is nothing to spare.
        None | Some(0.0) => String::new(),
        Some(margin) if margin > 0.0 => format!("{} to spare", shown(margin)),
        Some(margin) => format!("off by {}", shown(-margin)),
    };
    format!("{margin}{}", worst_window(verdict))
}

/// Whether the generator's numbers can be believed, in a sentence.
fn validity_line(validity: &Validity) -> String {
    let ms = |time: Duration| figures::milliseconds(time.as_secs_f64() * 1000.0);
    let (lag, limit) = (ms(validity.send_lag_p99), ms(validity.limit));
    let lag = format!("send lag p99 {lag} (limit {limit})");
    match (&validity.reason, validity.valid) {
        (None, true) => format!("valid: {lag}"),
        (None, false) => format!("NOT VALID: {lag}"),
        (Some(reason), true) => format!("valid: {lag}; {reason}"),
        (Some(reason), false) => format!("NOT VALID: {reason}; {lag}"),
    }
}

/// Of a threshold in windows, when the worst of them was.
fn worst_window(verdict: &ThresholdVerdict) -> String {
    let Some(window) = verdict.window else { return String::new() };
    format!(" ({} to {})", duration::text(window.from), duration::text(window.to))
}

fn recovery_line(recovery: &Recovery) -> String {
    let killed = figures::duration(recovery.killed_at);
    match recovery.recovered_in {
        Some(time) => {
            let time = figures::milliseconds(time.as_secs_f64() * 1000.0);
            format!("{}: killed at {killed}, effective again after {time}", recovery.service)
        }
        None => format!("{}: killed at {killed}, never effective again", recovery.service),
    }
}
