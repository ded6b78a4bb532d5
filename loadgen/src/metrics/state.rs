//! The parent's side: the snapshots of all shards, merged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::intervals::Interval;
use super::snapshot::{Delta, GaugeReading, SeriesDelta, Snapshot, Tags};
use super::tracks::{Track, TrackKey};
use super::windows::{Window, Windows};
use super::{Kind, TrendTotal, builtin};

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    pub metric: Arc<str>,
    pub tags: Arc<Tags>,
}

/// A metric's samples, or those of some of its series, as one.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    Counter(u64),
    Gauge(GaugeTotal),
    Rate(RateTotal),
    Trend(TrendTotal),
}

impl Aggregate {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Rate(_) => Kind::Rate,
            Self::Trend(_) => Kind::Trend,
        }
    }
}

/// A gauge summed over its series and shards. `value` sums their latest readings. `min` and `max`
/// are exact for a single source; of several, `max` is the highest sum of readings taken within
/// the same second (so it never flatters) and `min` the lowest reading of one source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeTotal {
    pub value: f64,
    pub min: f64,
    pub max: f64,
}

/// How many samples of a rate there were, and how many were true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTotal {
    pub passes: u64,
    pub total: u64,
}

impl RateTotal {
    /// The share that was true (0 to 1); 0 without samples.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
    pub fn share(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.passes as f64 / self.total as f64 }
    }
}

/// A snapshot that cannot be merged. Nothing of that series was added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    #[error("the histogram of {metric} is damaged: {reason}")]
    Damaged { metric: String, reason: String },
    #[error("{metric} came as {got}, but it is {expected}")]
    OtherKind { metric: String, expected: &'static str, got: &'static str },
}

/// All that is known of a phase's load so far. Cloning shares what does not change, so a clone a
/// second for the terminal UI is cheap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadState {
    /// Counters, rates and trends.
    pub(super) series: BTreeMap<SeriesKey, Arc<Aggregate>>,
    /// Gauges by shard, because a shard's reading replaces only its own.
    pub(super) gauges: BTreeMap<SeriesKey, BTreeMap<usize, GaugeSource>>,
    pub(super) windows: Windows,
    pub(super) tracks: Vec<Track>,
    pub(super) elapsed_ms: u64,
}

/// One shard's readings of a gauge series; `reading.value` is the one taken at `at_ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GaugeSource {
    pub(super) at_ms: u64,
    pub(super) reading: GaugeReading,
}

impl LoadState {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A state that follows sliding windows as well; each once, however often it is named.
    #[must_use]
    pub fn tracking(keys: impl IntoIterator<Item = TrackKey>) -> Self {
        let mut state = Self::new();
        for key in keys {
            if state.track(&key).is_none() {
                state.tracks.push(Track::new(key));
            }
        }
        state
    }

    /// Adds a shard's snapshot. The order in which snapshots arrive does not matter.
    ///
    /// # Errors
    /// When a series is damaged or contradicts its kind; all other series are merged all the same.
    pub fn merge(&mut self, shard: usize, snapshot: &Snapshot) -> Result<(), MergeError> {
        self.elapsed_ms = self.elapsed_ms.max(snapshot.to_ms);
        let mut outcome = Ok(());
        let (from_ms, to_ms) = (snapshot.from_ms, snapshot.to_ms);
        let mut slot = self.windows.slot(shard, from_ms, to_ms);
        self.tracks.iter_mut().for_each(|track| track.cover(shard, from_ms, to_ms));
        for delta in &snapshot.series {
            let metric = delta.metric.as_str().into();
            let key = SeriesKey { metric, tags: Arc::new(delta.tags.clone()) };
            match read(delta) {
                Ok(Sample::Gauge(None)) => {}
                Ok(Sample::Gauge(Some(reading))) => {
                    slot.gauge(&key, reading.value);
                    let source = GaugeSource { at_ms: snapshot.to_ms, reading };
                    keep_latest(self.gauges.entry(key).or_default(), shard, source);
                }
                Ok(Sample::Sum(sample)) => {
                    slot.add(&key, &sample);
                    for track in &mut self.tracks {
                        track.add(&key, &sample, from_ms, to_ms);
                    }
                    outcome = outcome.and(absorb(&mut self.series, key, sample));
                }
                Err(error) => outcome = Err(error),
            }
        }
        let sealed_ms = self.windows.settle();
        self.tracks.iter_mut().for_each(|track| track.settle(sealed_ms));
        outcome
    }

    /// Adds another load of the same time: that of another machine. Sums and histograms are as exact as if one
    /// had recorded both; of a window's
    /// percentiles the higher ones of the two stand, for they cannot be summed.
    ///
    /// # Errors
    /// When a series contradicts its kind; all others are merged all the same.
    pub fn join(&mut self, other: &Self) -> Result<(), MergeError> {
        self.elapsed_ms = self.elapsed_ms.max(other.elapsed_ms);
        let mut outcome = Ok(());
        for (key, samples) in &other.series {
            outcome = outcome.and(absorb(&mut self.series, key.clone(), Aggregate::clone(samples)));
        }
        // Its shards are others than ours.
        let shards = self.gauges.values().flat_map(BTreeMap::keys);
        let first = shards.max().map_or(0, |last| last + 1);
        for (key, sources) in &other.gauges {
            let ours = self.gauges.entry(key.clone()).or_default();
            ours.extend(sources.iter().map(|(shard, source)| (first + shard, *source)));
        }
        self.windows = self.windows.joined(&other.windows);
        for track in &other.tracks {
            match self.tracks.iter_mut().find(|own| own.key() == track.key()) {
                Some(own) => own.merge(track),
                None => self.tracks.push(track.clone()),
            }
        }
        outcome
    }

    /// After the last snapshot: every full window gets its value.
    pub fn close(&mut self) {
        self.tracks.iter_mut().for_each(|track| track.close(self.elapsed_ms));
    }

    /// A sliding window that is followed.
    #[must_use]
    pub fn track(&self, key: &TrackKey) -> Option<&Track> {
        self.tracks.iter().find(|track| track.key() == key)
    }

    /// The time of the latest sample since the phase began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// One aggregate of all series of `metric` that carry all of `tags`. `None` without a series.
    #[must_use]
    pub fn select(&self, metric: &str, tags: &[(&str, &str)]) -> Option<Aggregate> {
        let mut chosen = of_metric(&self.series, metric).filter(|(key, _)| key.has(tags));
        let Some((_, first)) = chosen.next() else { return self.select_gauge(metric, tags) };
        let mut merged = Aggregate::clone(first);
        for (_, series) in chosen {
            let same_kind = merged.merge(series);
            debug_assert!(same_kind, "{metric} has series of two kinds");
        }
        Some(merged)
    }

    fn select_gauge(&self, metric: &str, tags: &[(&str, &str)]) -> Option<Aggregate> {
        let readings: Vec<GaugeReading> = of_metric(&self.gauges, metric)
            .filter(|(key, _)| key.has(tags))
            .flat_map(|(_, shards)| shards.values().map(|source| source.reading))
            .collect();
        if let [GaugeReading { value, min, max }] = readings[..] {
            return Some(Aggregate::Gauge(GaugeTotal { value, min, max }));
        }
        let min = readings.iter().map(|reading| reading.min).reduce(f64::min)?;
        let highest_single = readings.iter().map(|reading| reading.max).fold(f64::MIN, f64::max);
        let value: f64 = readings.iter().map(|reading| reading.value).sum();
        let together = self.windows.gauge_peak(metric, tags).unwrap_or(value);
        let max = highest_single.max(value).max(together);
        Some(Aggregate::Gauge(GaugeTotal { value, min, max }))
    }

    /// A counter's total; 0 without a series.
    #[must_use]
    pub fn count(&self, metric: &str, tags: &[(&str, &str)]) -> u64 {
        match self.select(metric, tags) {
            Some(Aggregate::Counter(count)) => count,
            _ => 0,
        }
    }

    /// A trend's samples; none without a series.
    #[must_use]
    pub fn trend(&self, metric: &str, tags: &[(&str, &str)]) -> TrendTotal {
        match self.select(metric, tags) {
            Some(Aggregate::Trend(total)) => total,
            _ => TrendTotal::default(),
        }
    }

    /// A rate's samples; none without a series.
    #[must_use]
    pub fn rate(&self, metric: &str, tags: &[(&str, &str)]) -> RateTotal {
        match self.select(metric, tags) {
            Some(Aggregate::Rate(total)) => total,
            _ => RateTotal::default(),
        }
    }

    /// A gauge's present value and extremes. `None` when it was never set.
    #[must_use]
    pub fn gauge(&self, metric: &str, tags: &[(&str, &str)]) -> Option<GaugeTotal> {
        match self.select(metric, tags) {
            Some(Aggregate::Gauge(total)) => Some(total),
            _ => None,
        }
    }

    /// The sliding windows that are followed.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Every counter, rate and trend by itself, in the order of their names and tags.
    pub fn sums(&self) -> impl Iterator<Item = (&SeriesKey, &Arc<Aggregate>)> {
        self.series.iter()
    }

    /// Every gauge's present value, summed over shards.
    pub fn gauges(&self) -> impl Iterator<Item = (&SeriesKey, f64)> {
        let value = |source: &GaugeSource| source.reading.value;
        self.gauges.iter().map(move |(key, shards)| (key, shards.values().map(value).sum()))
    }

    /// The names of all metrics that have a series, built-in ones first, in the register's order.
    #[must_use]
    pub fn metrics(&self) -> Vec<Arc<str>> {
        let keys = self.series.keys().chain(self.gauges.keys());
        let mut names: Vec<Arc<str>> = keys.map(|key| Arc::clone(&key.metric)).collect();
        names.sort_by(|a, b| (builtin::position(a), a).cmp(&(builtin::position(b), b)));
        names.dedup();
        names
    }

    /// The values that a tag takes in a metric's series, in order.
    #[must_use]
    pub fn tag_values(&self, metric: &str, tag: &str) -> Vec<String> {
        let series = of_metric(&self.series, metric).map(|(key, _)| key);
        let keys = series.chain(of_metric(&self.gauges, metric).map(|(key, _)| key));
        let mut values: Vec<String> = keys.filter_map(|key| key.tags.get(tag).cloned()).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// What happened second by second, oldest first; coarser the longer ago. The newest may still
    /// be filling.
    #[must_use]
    pub fn windows(&self) -> Vec<Arc<Window>> {
        self.windows.all()
    }

    /// The trends' histograms interval by interval, oldest first, for the interval log.
    #[must_use]
    pub fn intervals(&self) -> Vec<Interval> {
        self.windows.intervals()
    }
}

impl SeriesKey {
    fn has(&self, tags: &[(&str, &str)]) -> bool {
        tags.iter().all(|(tag, value)| self.tags.get(*tag).is_some_and(|own| own == value))
    }
}

impl Aggregate {
    /// Adds the other's samples. False, and nothing done, when it is of another kind or a gauge.
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counter(count), Self::Counter(more)) => *count += more,
            (Self::Rate(rate), Self::Rate(more)) => {
                rate.passes += more.passes;
                rate.total += more.total;
            }
            (Self::Trend(trend), Self::Trend(more)) => trend.merge(more),
            _ => return false,
        }
        true
    }
}

/// The entries of one metric: keys are ordered by metric first.
fn of_metric<'a, T>(
    map: &'a BTreeMap<SeriesKey, T>,
    metric: &'a str,
) -> impl Iterator<Item = (&'a SeriesKey, &'a T)> {
    let first = SeriesKey { metric: metric.into(), tags: Arc::default() };
    map.range(first..).take_while(move |(key, _)| &*key.metric == metric)
}

fn absorb(
    all: &mut BTreeMap<SeriesKey, Arc<Aggregate>>,
    key: SeriesKey,
    sample: Aggregate,
) -> Result<(), MergeError> {
    let Some(series) = all.get_mut(&key) else {
        all.insert(key, Arc::new(sample));
        return Ok(());
    };
    if Arc::make_mut(series).merge(&sample) {
        return Ok(());
    }
    let metric = key.metric.to_string();
    let (expected, got) = (series.kind().as_str(), sample.kind().as_str());
    Err(MergeError::OtherKind { metric, expected, got })
}

fn keep_latest(shards: &mut BTreeMap<usize, GaugeSource>, shard: usize, new: GaugeSource) {
    let kept = shards.entry(shard).or_insert(new);
    let (min, max) = (kept.reading.min.min(new.reading.min), kept.reading.max.max(new.reading.max));
    if new.at_ms >= kept.at_ms {
        *kept = new;
    }
    (kept.reading.min, kept.reading.max) = (min, max);
}

/// A delta, read: what is added up, and what replaces the reading before.
enum Sample {
    Sum(Aggregate),
    Gauge(Option<GaugeReading>),
}

fn read(delta: &SeriesDelta) -> Result<Sample, MergeError> {
    Ok(match &delta.delta {
        Delta::Gauge(reading) => Sample::Gauge(*reading),
        Delta::Counter(count) => Sample::Sum(Aggregate::Counter(*count)),
        Delta::Rate { passes, total } => {
            Sample::Sum(Aggregate::Rate(RateTotal { passes: *passes, total: *total }))
        }
        Delta::Trend(trend) => {
            let damaged = |reason| MergeError::Damaged { metric: delta.metric.clone(), reason };
            Sample::Sum(Aggregate::Trend(TrendTotal::from_delta(trend).map_err(damaged)?))
        }
    })
}
