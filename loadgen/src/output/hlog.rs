//! `hlog=FILE`: an HDR interval log as it goes, a histogram of microseconds for each metric and second; the tag is
//! the phase, the metric and its `name`. The log of the whole run, which is in the report, is thinned with time;
//! this one is not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::{Changed, Output, Tick, changes};
use crate::metrics::TrendTotal;
use crate::report::hdr;

struct IntervalLog {
    file: BufWriter<File>,
    /// Since the epoch; the times of the lines count from it.
    started: Option<Duration>,
}

pub(super) fn open(target: &str) -> io::Result<Box<dyn Output>> {
    Ok(Box::new(IntervalLog { file: BufWriter::new(File::create(target)?), started: None }))
}

impl Output for IntervalLog {
    fn write(&mut self, tick: &Tick<'_>) -> io::Result<()> {
        let phase_start = tick.phase_started_at.signed_duration_since(chrono::DateTime::UNIX_EPOCH);
        let phase_start = phase_start.to_std().unwrap_or_default();
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        let started = *self.started.get_or_insert_with(|| {
            builder.add_comment(&format!("scenario {}; values are microseconds", tick.run));
            builder.with_start_time(tick.phase_started_at.into());
            phase_start
        });
        let mut log = builder.begin_log_with(&mut self.file, &mut serializer)?;
        let offset = phase_start.saturating_sub(started);
        let length = tick.now.elapsed().saturating_sub(tick.before.elapsed());
        for ((metric, name), trend) in by_name(tick) {
            let tag = hdr::tag_of(Some(tick.phase), metric, name);
            let from = offset + tick.before.elapsed();
            log.write_histogram(trend.histogram(), from, length, Tag::new(&tag))
                .map_err(hdr::unwrap_error)?;
        }
        self.file.flush()
    }
}

/// The new samples by metric and `name`: other tags are put together.
fn by_name<'a>(tick: &Tick<'a>) -> BTreeMap<(&'a str, Option<&'a str>), TrendTotal> {
    let mut trends: BTreeMap<_, TrendTotal> = BTreeMap::new();
    for change in changes(tick.before, tick.now) {
        if let Changed::Trend(trend) = change.changed {
            let name = change.key.tags.get("name").map(String::as_str);
            trends.entry((&*change.key.metric, name)).or_default().merge(&trend);
        }
    }
    trends
}
