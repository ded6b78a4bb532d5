//! The HDR interval log: histograms over time, which the HDR tools of all languages read and plot.
//!
//! Values are microseconds, the readable `max` column is in milliseconds. A line's tag is the
//! metric, with the tag `name` behind a colon where it has one, and the phase in front when there
//! are several: `shop:http_req_duration:order`.

use std::io;
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::{Format, RunReport};
use crate::metrics::PlotKey;

const US_PER_MS: f64 = 1000.0;

/// The log as a report file.
pub(super) struct IntervalLog;

impl Format for IntervalLog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn file_name(&self) -> &'static str {
        "latency.hlog"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        let mut log = Vec::new();
        write(run, &mut log)?;
        Ok(log)
    }
}

/// Writes the log of a whole run.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(run: &RunReport, out: &mut impl io::Write) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("scenario {}; values are microseconds", run.scenario))
        .with_start_time(run.started_at.into())
        .with_max_value_divisor(US_PER_MS)
        .begin_log_with(out, &mut serializer)?;
    for phase in &run.phases {
        let phase_start =
            phase.started_at.signed_duration_since(run.started_at).to_std().unwrap_or_default();
        for interval in phase.load.intervals() {
            let start = phase_start + Duration::from_millis(interval.start_ms);
            let length = Duration::from_millis(interval.end_ms.saturating_sub(interval.start_ms));
            for (key, histogram) in interval.histograms() {
                let tag = tag((run.phases.len() > 1).then_some(&phase.name), key);
                log.write_histogram(&histogram, start, length, Tag::new(&tag))
                    .map_err(unwrap_error)?;
            }
        }
    }
    Ok(())
}

fn tag(phase: Option<&String>, key: &PlotKey) -> String {
    tag_of(phase.map(String::as_str), &key.metric, key.name.as_deref())
}

pub(crate) fn tag_of(phase: Option<&str>, metric: &str, name: Option<&str>) -> String {
    let parts = [phase, Some(metric), name];
    let joined: Vec<&str> = parts.into_iter().flatten().collect();
    // What the format uses itself cannot stand in a tag.
    joined.join(":").replace([',', ' ', '\r', '\n'], "_")
}

pub(crate) fn unwrap_error<E: std::fmt::Debug>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(format!("{error:?}")),
    }
}
