//! What happened second by second, for charts: a bounded ring of windows.
//!
//! The newest few windows stay open, with their histograms, because shards report at slightly
//! different times. Then a window is sealed: its percentiles are kept, its histograms go on into
//! the interval log. After 15 minutes windows are merged into coarser ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intervals::{Interval, Intervals};
use super::state::{Aggregate, RateTotal, SeriesKey};
use super::trend::TrendTotal;

/// The width of a fresh window.
pub const WINDOW_MS: u64 = 1000;
/// Windows that still accept samples: how far one shard may report behind another.
const OPEN_WINDOWS: usize = 5;
/// Sealed windows of one second: 15 minutes.
const FINE_WINDOWS: usize = 900;
/// How many windows become one when they are older than that.
const COARSENING: usize = 10;
/// Coarse windows kept: 12 hours of 10 seconds.
const COARSE_WINDOWS: usize = 4320;

/// What a chart can plot: a metric as a whole, or its series with one value of the tag `name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlotKey {
    pub metric: Arc<str>,
    pub name: Option<Arc<str>>,
}

/// One metric within one window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Counter {
        count: u64,
        per_second: f64,
    },
    /// The sum over series and shards.
    Gauge(f64),
    Rate(RateTotal),
    /// Milliseconds.
    Trend {
        count: u64,
        p50: f64,
        p95: f64,
        p99: f64,
        max: f64,
    },
}

/// A stretch of time and what happened in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// Since the phase began.
    pub start_ms: u64,
    pub width_ms: u64,
    readings: BTreeMap<PlotKey, Reading>,
}

impl Window {
    pub(super) fn new(start_ms: u64, width_ms: u64, readings: BTreeMap<PlotKey, Reading>) -> Self {
        Self { start_ms, width_ms, readings }
    }

    /// A metric as a whole, or of one value of the tag `name`. `None` when nothing was recorded.
    #[must_use]
    pub fn reading(&self, metric: &str, name: Option<&str>) -> Option<Reading> {
        let key = PlotKey { metric: metric.into(), name: name.map(Into::into) };
        self.readings.get(&key).copied()
    }

    /// Everything recorded in the window.
    pub fn readings(&self) -> impl Iterator<Item = (&PlotKey, Reading)> {
        self.readings.iter().map(|(key, reading)| (key, *reading))
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Windows {
    open: BTreeMap<u64, Arc<OpenWindow>>,
    fine: VecDeque<Arc<Window>>,
    coarse: VecDeque<Arc<Window>>,
    /// Windows before this index are sealed.
    sealed_before: u64,
    gauge_peaks: BTreeMap<PlotKey, f64>,
    intervals: Intervals,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct OpenWindow {
    /// The milliseconds that the snapshots cover, summed over shards.
    covered_ms: u64,
    shards: BTreeSet<usize>,
    sums: BTreeMap<PlotKey, Aggregate>,
    gauges: BTreeMap<PlotKey, BTreeMap<(usize, SeriesKey), f64>>,
}

/// Where one snapshot's samples go.
pub(crate) struct Slot<'a> {
    shard: usize,
    target: Target<'a>,
}

enum Target<'a> {
    Open(&'a mut OpenWindow, &'a mut BTreeMap<PlotKey, f64>),
    /// The window is sealed already: only the interval log can still take the samples.
    Late(&'a mut Intervals),
}

impl Windows {
    /// The window that contains the middle of the snapshot's time, so that a timer's jitter does
    /// not put two snapshots into one second and none into the next.
    pub(crate) fn slot(&mut self, shard: usize, from_ms: u64, to_ms: u64) -> Slot<'_> {
        let index = u64::midpoint(from_ms, to_ms) / WINDOW_MS;
        if index < self.sealed_before {
            return Slot { shard, target: Target::Late(&mut self.intervals) };
        }
        let window = Arc::make_mut(self.open.entry(index).or_default());
        window.covered_ms += to_ms.saturating_sub(from_ms);
        window.shards.insert(shard);
        Slot { shard, target: Target::Open(window, &mut self.gauge_peaks) }
    }

    /// Seals what is old enough, keeps everything within its bounds, and gives the time up to which all is
    /// sealed.
    pub(crate) fn settle(&mut self) -> u64 {
        while self.open.len() > OPEN_WINDOWS {
            let Some((index, window)) = self.open.pop_first() else { break };
            self.sealed_before = index + 1;
            self.fine.push_back(Arc::new(window.view(index)));
            self.intervals.add(index * WINDOW_MS, WINDOW_MS, window.trends());
        }
        if self.fine.len() > FINE_WINDOWS + COARSENING {
            let old: Vec<Arc<Window>> = self.fine.drain(..COARSENING).collect();
            self.coarse.push_back(Arc::new(coarsen(&old)));
        }
        if self.coarse.len() > COARSE_WINDOWS {
            self.coarse.pop_front();
        }
        self.sealed_before * WINDOW_MS
    }

    pub(crate) fn all(&self) -> Vec<Arc<Window>> {
        let sealed = self.coarse.iter().chain(&self.fine).map(Arc::clone);
        sealed.chain(self.open.iter().map(|(index, open)| Arc::new(open.view(*index)))).collect()
    }

    /// The interval log as it would be if every window was sealed.
    pub(super) fn interval_log(&self) -> Intervals {
        let mut intervals = self.intervals.clone();
        for (index, window) in &self.open {
            intervals.add(index * WINDOW_MS, WINDOW_MS, window.trends());
        }
        intervals
    }

    pub(crate) fn intervals(&self) -> Vec<Interval> {
        self.interval_log().all()
    }

    /// Windows that were kept: all sealed, oldest first.
    pub(super) fn of(windows: Vec<Window>, intervals: Intervals) -> Self {
        let mut sealed = Self { intervals, ..Self::default() };
        for window in windows {
            sealed.sealed_before = (window.start_ms + window.width_ms).div_ceil(WINDOW_MS);
            sealed.note_peaks(&window);
            let ring =
                if window.width_ms > WINDOW_MS { &mut sealed.coarse } else { &mut sealed.fine };
            ring.push_back(Arc::new(window));
        }
        sealed
    }

    fn note_peaks(&mut self, window: &Window) {
        for (key, reading) in window.readings() {
            if let Reading::Gauge(value) = reading {
                let peak = self.gauge_peaks.entry(key.clone()).or_insert(value);
                *peak = peak.max(value);
            }
        }
    }

    /// These windows and those of another load at the same time.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let (ours, theirs) = (self.all(), other.all());
        let is_coarse = |window: &&Arc<Window>| window.width_ms > WINDOW_MS;
        let coarse = ours.iter().chain(&theirs).filter(is_coarse);
        let fine_from = coarse.map(|window| window.start_ms + window.width_ms).max().unwrap_or(0);
        // Where one has coarse windows, both get them; one that lies askew counts where it begins.
        let coarse_ms = WINDOW_MS * COARSENING as u64;
        let cell = |start_ms: u64| match start_ms < fine_from {
            true => (start_ms - start_ms % coarse_ms, coarse_ms),
            false => (start_ms, WINDOW_MS),
        };
        let by_cell = |windows: &[Arc<Window>]| {
            let mut cells: BTreeMap<(u64, u64), Vec<Arc<Window>>> = BTreeMap::new();
            for window in windows {
                cells.entry(cell(window.start_ms)).or_default().push(Arc::clone(window));
            }
            cells
        };
        let (ours, mut theirs) = (by_cell(&ours), by_cell(&theirs));
        let mut joined: BTreeMap<(u64, u64), Window> = BTreeMap::new();
        for (cell, windows) in ours {
            let ours = as_one(&windows);
            let both = match theirs.remove(&cell) {
                Some(windows) => side_by_side(&ours, &as_one(&windows)),
                None => ours,
            };
            joined.insert(cell, both);
        }
        joined.extend(theirs.into_iter().map(|(cell, windows)| (cell, as_one(&windows))));
        let intervals = self.interval_log().joined(&other.interval_log());
        let mut all = Self::of(joined.into_values().collect(), intervals);
        for (key, peak) in self.gauge_peaks.iter().chain(&other.gauge_peaks) {
            let known = all.gauge_peaks.entry(key.clone()).or_insert(*peak);
            *known = known.max(*peak);
        }
        all
    }

    /// The highest sum of a gauge's readings within one window, for what is plotted: the metric
    /// as a whole or one value of the tag `name`.
    pub(crate) fn gauge_peak(&self, metric: &str, tags: &[(&str, &str)]) -> Option<f64> {
        let name = match tags {
            [] => None,
            [("name", value)] => Some((*value).into()),
            _ => return None,
        };
        self.gauge_peaks.get(&PlotKey { metric: metric.into(), name }).copied()
    }
}

impl Slot<'_> {
    /// Adds a counter's, a rate's or a trend's samples.
    pub(crate) fn add(&mut self, key: &SeriesKey, sample: &Aggregate) {
        for plot in plot_keys(key) {
            match (&mut self.target, sample) {
                (Target::Open(window, _), sample) => match window.sums.get_mut(&plot) {
                    Some(sum) => {
                        sum.merge(sample);
                    }
                    None => {
                        window.sums.insert(plot, sample.clone());
                    }
                },
                (Target::Late(intervals), Aggregate::Trend(trend)) => intervals.late(plot, trend),
                (Target::Late(_), _) => {}
            }
        }
    }

    /// Notes a gauge's reading: the highest of a window counts, whatever order they come in.
    pub(crate) fn gauge(&mut self, key: &SeriesKey, value: f64) {
        let Target::Open(window, peaks) = &mut self.target else { return };
        for plot in plot_keys(key) {
            let sources = window.gauges.entry(plot.clone()).or_default();
            let reading = sources.entry((self.shard, key.clone())).or_insert(value);
            *reading = reading.max(value);
            let sum = sources.values().sum();
            let peak = peaks.entry(plot).or_insert(sum);
            *peak = peak.max(sum);
        }
    }
}

impl OpenWindow {
    fn view(&self, index: u64) -> Window {
        let mut readings: BTreeMap<PlotKey, Reading> = BTreeMap::new();
        for (key, sum) in &self.sums {
            if let Some(reading) = self.read(sum) {
                readings.insert(key.clone(), reading);
            }
        }
        for (key, sources) in &self.gauges {
            readings.insert(key.clone(), Reading::Gauge(sources.values().sum()));
        }
        Window { start_ms: index * WINDOW_MS, width_ms: WINDOW_MS, readings }
    }

    #[expect(clippy::cast_precision_loss, reason = "a window's counts are far below 2^52")]
    fn read(&self, sum: &Aggregate) -> Option<Reading> {
        match sum {
            Aggregate::Counter(count) => {
                let covered_s = self.covered_ms.max(1) as f64 / 1000.0;
                let per_second = *count as f64 * self.shards.len() as f64 / covered_s;
                Some(Reading::Counter { count: *count, per_second })
            }
            Aggregate::Rate(rate) => (rate.total > 0).then_some(Reading::Rate(*rate)),
            Aggregate::Trend(trend) => (!trend.is_empty()).then(|| Reading::Trend {
                count: trend.count(),
                p50: trend.percentile_ms(50.0),
                p95: trend.percentile_ms(95.0),
                p99: trend.percentile_ms(99.0),
                max: trend.max_ms(),
            }),
            Aggregate::Gauge(total) => Some(Reading::Gauge(total.value)),
        }
    }

    fn trends(&self) -> impl Iterator<Item = (&PlotKey, &TrendTotal)> {
        self.sums.iter().filter_map(|(key, sum)| match sum {
            Aggregate::Trend(trend) if !trend.is_empty() => Some((key, trend)),
            _ => None,
        })
    }
}

/// A series counts for its metric as a whole and, if it has the tag, for its name.
fn plot_keys(key: &SeriesKey) -> impl Iterator<Item = PlotKey> {
    let whole = PlotKey { metric: Arc::clone(&key.metric), name: None };
    let named = key
        .tags
        .get("name")
        .map(|name| PlotKey { metric: Arc::clone(&key.metric), name: Some(name.as_str().into()) });
    std::iter::once(whole).chain(named)
}

/// A single window stays as it is.
fn as_one(windows: &[Arc<Window>]) -> Window {
    if let [only] = windows { Window::clone(only) } else { coarsen(windows) }
}

/// Two loads' windows of the same time. Percentiles cannot be summed: the higher ones are an upper bound.
fn side_by_side(a: &Window, b: &Window) -> Window {
    let mut readings = a.readings.clone();
    for (key, more) in &b.readings {
        let both = match (readings.get(key).copied(), *more) {
            (
                Some(Reading::Counter { count, per_second }),
                Reading::Counter { count: more, per_second: other },
            ) => Reading::Counter { count: count + more, per_second: per_second + other },
            (Some(Reading::Gauge(value)), Reading::Gauge(other)) => Reading::Gauge(value + other),
            (Some(old), more) => worst(old, more),
            (None, more) => more,
        };
        readings.insert(key.clone(), both);
    }
    let end_ms = (a.start_ms + a.width_ms).max(b.start_ms + b.width_ms);
    let start_ms = a.start_ms.min(b.start_ms);
    Window { start_ms, width_ms: end_ms - start_ms, readings }
}

/// Several windows as one. Percentiles cannot be averaged, so the worst second's stand.
fn coarsen(windows: &[Arc<Window>]) -> Window {
    let start_ms = windows.first().map_or(0, |window| window.start_ms);
    let end_ms = windows.last().map_or(start_ms, |window| window.start_ms + window.width_ms);
    let mut readings: BTreeMap<PlotKey, Reading> = BTreeMap::new();
    for window in windows {
        for (key, reading) in &window.readings {
            let merged = readings.get(key).map_or(*reading, |old| worst(*old, *reading));
            readings.insert(key.clone(), merged);
        }
    }
    let width_ms = end_ms - start_ms;
    for reading in readings.values_mut() {
        if let Reading::Counter { count, per_second } = reading {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let rate = *count as f64 * 1000.0 / width_ms.max(1) as f64;
            *per_second = rate;
        }
    }
    Window { start_ms, width_ms, readings }
}

fn worst(a: Reading, b: Reading) -> Reading {
    match (a, b) {
        (
            Reading::Counter { count, per_second },
            Reading::Counter { count: more, per_second: other },
        ) => Reading::Counter { count: count + more, per_second: per_second.max(other) },
        (Reading::Gauge(value), Reading::Gauge(other)) => Reading::Gauge(value.max(other)),
        (Reading::Rate(rate), Reading::Rate(more)) => Reading::Rate(RateTotal {
            passes: rate.passes + more.passes,
            total: rate.total + more.total,
        }),
        (
            Reading::Trend { count, p50, p95, p99, max },
            Reading::Trend { count: more, p50: b50, p95: b95, p99: b99, max: bmax },
        ) => Reading::Trend {
            count: count + more,
            p50: p50.max(b50),
            p95: p95.max(b95),
            p99: p99.max(b99),
            max: max.max(bmax),
        },
        (_, newer) => newer,
    }
}
