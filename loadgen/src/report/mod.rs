//! Reports of a run: one value ([`RunReport`]), one file per format.

pub(crate) mod digest;
pub mod figures;
pub mod hdr;
mod markdown;
mod model;
mod summary;
mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::metrics::{Aggregate, Unit, builtin};
use crate::scenario::duration;
use crate::threshold::ThresholdVerdict;

pub use markdown::markdown;
pub use model::{PhaseReport, ProcessUsage, Recovery, RunReport, Validity, Verdict};
pub use summary::summary;
pub use text::{text, text_in};

/// A format of a run's report: a file in the run's folder.
pub trait Format: Sync {
    /// The name of its file.
    fn file_name(&self) -> &'static str;
    /// The file's contents.
    ///
    /// # Errors
    /// When the contents cannot be encoded.
    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>>;
}

/// The register of formats: every run writes one file of each.
pub const FORMATS: &[&dyn Format] =
    &[&summary::Json, &markdown::Markdown, &text::Text, &hdr::IntervalLog];

/// Writes every format into the folder, which must exist. Gives the files written.
///
/// # Errors
/// When a file cannot be written, with its name; files written before it stay.
pub fn write_all(folder: &Path, run: &RunReport) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::with_capacity(FORMATS.len());
    for format in FORMATS {
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
