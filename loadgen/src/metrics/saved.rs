//! A load as it is written down, to be rendered or merged again.
//!
//! Everything that a report shows is kept: series with their whole histograms, gauges by shard, windows and
//! intervals. What is kept once more beside it (open windows, peaks of gauges) is made anew when it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::encoding;
use super::intervals::{Interval, Intervals};
use super::snapshot::{GaugeReading, Tags};
use super::state::{Aggregate, GaugeSource, LoadState, RateTotal, SeriesKey};
use super::tracks::Track;
use super::trend::TrendTotal;
use super::windows::{PlotKey, Reading, Window, Windows};

/// The load of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedLoad {
    elapsed_ms: u64,
    series: Vec<SavedSeries>,
    /// What windows and intervals refer to by its place here.
    plots: Vec<SavedPlot>,
    windows: Vec<SavedWindow>,
    interval_width_ms: u64,
    intervals: Vec<SavedInterval>,
    tracks: Vec<Track>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedSeries {
    metric: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: Tags,
    samples: SavedSamples,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedSamples {
    Counter(u64),
    /// By shard.
    Gauge(BTreeMap<usize, SavedGauge>),
    Rate {
        passes: u64,
        total: u64,
    },
    Trend {
        count: u64,
        sum_us: u64,
        min_us: u64,
        max_us: u64,
        histogram: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct SavedGauge {
    at_ms: u64,
    reading: GaugeReading,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedPlot {
    metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedWindow {
    start_ms: u64,
    width_ms: u64,
    readings: Vec<(usize, Reading)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedInterval {
    start_ms: u64,
    end_ms: u64,
    histograms: Vec<(usize, String)>,
}

impl From<&LoadState> for SavedLoad {
    fn from(load: &LoadState) -> Self {
        let mut series: Vec<SavedSeries> = Vec::new();
        for (key, samples) in &load.series {
            let samples = match &**samples {
                Aggregate::Counter(count) => SavedSamples::Counter(*count),
                Aggregate::Rate(RateTotal { passes, total }) => {
                    SavedSamples::Rate { passes: *passes, total: *total }
                }
                Aggregate::Trend(trend) => trend.saved(),
                // Gauges are kept apart, by shard.
                Aggregate::Gauge(_) => continue,
            };
            series.push(SavedSeries {
                metric: key.metric.to_string(),
                tags: (*key.tags).clone(),
                samples,
            });
        }
        for (key, shards) in &load.gauges {
            let shard = |(shard, source): (&usize, &GaugeSource)| {
                (*shard, SavedGauge { at_ms: source.at_ms, reading: source.reading })
            };
            let samples = SavedSamples::Gauge(shards.iter().map(shard).collect());
            series.push(SavedSeries {
                metric: key.metric.to_string(),
                tags: (*key.tags).clone(),
                samples,
            });
        }
        let mut plots = Plots::default();
        let windows = load.windows.all();
        let windows = windows.iter().map(|window| plots.window(window)).collect();
        let intervals = load.windows.interval_log();
        let interval_width_ms = intervals.width_ms();
        let intervals = intervals.all().iter().map(|interval| plots.interval(interval)).collect();
        let plots = plots.keys;
        Self {
            elapsed_ms: load.elapsed_ms,
            series,
            plots,
            windows,
            interval_width_ms,
            intervals,
            tracks: load.tracks.clone(),
        }
    }
}

/// Numbers what is plotted.
#[derive(Default)]
struct Plots {
    keys: Vec<SavedPlot>,
    places: BTreeMap<PlotKey, usize>,
}

impl Plots {
    fn place(&mut self, key: &PlotKey) -> usize {
        *self.places.entry(key.clone()).or_insert_with(|| {
            let name = key.name.as_deref().map(str::to_owned);
            self.keys.push(SavedPlot { metric: key.metric.to_string(), name });
            self.keys.len() - 1
        })
    }

    fn window(&mut self, window: &Window) -> SavedWindow {
        let readings = window.readings().map(|(key, reading)| (self.place(key), reading)).collect();
        SavedWindow { start_ms: window.start_ms, width_ms: window.width_ms, readings }
    }

    fn interval(&mut self, interval: &Interval) -> SavedInterval {
        let texts = interval.encoded().map(|(key, text)| (self.place(key), text.to_owned()));
        SavedInterval {
            start_ms: interval.start_ms,
            end_ms: interval.end_ms,
            histograms: texts.collect(),
        }
    }
}

impl TrendTotal {
    fn saved(&self) -> SavedSamples {
        SavedSamples::Trend {
            count: self.count,
            sum_us: self.sum_us,
            min_us: self.min_us,
            max_us: self.max_us,
            histogram: encoding::encode(&self.histogram),
        }
    }
}

impl TryFrom<SavedLoad> for LoadState {
    type Error = String;

    /// The error says what is damaged.
    fn try_from(saved: SavedLoad) -> Result<Self, String> {
        let mut load =
            Self { elapsed_ms: saved.elapsed_ms, tracks: saved.tracks, ..Self::default() };
        for SavedSeries { metric, tags, samples } in saved.series {
            let key = SeriesKey { metric: metric.as_str().into(), tags: Arc::new(tags) };
            let samples = match samples {
                SavedSamples::Counter(count) => Aggregate::Counter(count),
                SavedSamples::Rate { passes, total } => {
                    Aggregate::Rate(RateTotal { passes, total })
                }
                SavedSamples::Trend { count, sum_us, min_us, max_us, histogram } => {
                    let histogram = decode(&histogram)
                        .and_then(|histogram| match histogram.len() == count {
                            true => Ok(histogram),
                            false => {
                                Err(format!("{count} samples announced, {} kept", histogram.len()))
                            }
                        })
                        .map_err(|reason| {
                            format!("the histogram of {metric} is damaged: {reason}")
                        })?;
                    Aggregate::Trend(TrendTotal { histogram, count, sum_us, min_us, max_us })
                }
                SavedSamples::Gauge(shards) => {
                    let source = |SavedGauge { at_ms, reading }| GaugeSource { at_ms, reading };
                    let shards = shards.into_iter().map(|(shard, gauge)| (shard, source(gauge)));
                    load.gauges.insert(key, shards.collect());
                    continue;
                }
            };
            load.series.insert(key, Arc::new(samples));
        }
        let plot = |plot: SavedPlot| PlotKey {
            metric: plot.metric.into(),
            name: plot.name.map(Into::into),
        };
        let plots: Vec<PlotKey> = saved.plots.into_iter().map(plot).collect();
        let plot = |place: usize| {
            plots.get(place).cloned().ok_or_else(|| format!("no plot stands at place {place}"))
        };
        let mut windows = Vec::with_capacity(saved.windows.len());
        for SavedWindow { start_ms, width_ms, readings } in saved.windows {
            let readings = readings.into_iter().map(|(place, reading)| Ok((plot(place)?, reading)));
            windows.push(Window::new(start_ms, width_ms, readings.collect::<Result<_, String>>()?));
        }
        let mut intervals = Vec::with_capacity(saved.intervals.len());
        for SavedInterval { start_ms, end_ms, histograms } in saved.intervals {
            let histograms = histograms.into_iter().map(|(place, text)| Ok((plot(place)?, text)));
            intervals.push(Interval::new(
                start_ms,
                end_ms,
                histograms.collect::<Result<_, String>>()?,
            ));
        }
        let intervals = Intervals::of(saved.interval_width_ms, intervals);
        load.windows = Windows::of(windows, intervals);
        Ok(load)
    }
}

fn decode(text: &str) -> Result<Histogram<u64>, String> {
    let mut histogram: Histogram<u64> = encoding::decode(text)?;
    histogram.auto(true);
    Ok(histogram)
}

impl Serialize for LoadState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedLoad::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LoadState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(SavedLoad::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
