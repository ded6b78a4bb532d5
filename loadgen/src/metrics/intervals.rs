//! The trends' histograms over time, encoded, for the HDR interval log.
//!
//! Memory is constant however long a run: when there are too many intervals, two become one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::encoding;
use super::trend::TrendTotal;
use super::windows::PlotKey;

/// The width that intervals start with; it doubles when they become too many.
const FIRST_WIDTH_MS: u64 = 5000;
/// 15 minutes of the first width.
const MAX_INTERVALS: usize = 180;

/// The histograms of one stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Since the phase began.
    pub start_ms: u64,
    pub end_ms: u64,
    /// By what they measure; base64 of the V2 deflated histogram of microseconds.
    encoded: Arc<BTreeMap<PlotKey, String>>,
}

impl Interval {
    /// From what [`Self::encoded`] gave.
    pub(super) fn new(start_ms: u64, end_ms: u64, encoded: BTreeMap<PlotKey, String>) -> Self {
        Self { start_ms, end_ms, encoded: Arc::new(encoded) }
    }

    pub(super) fn encoded(&self) -> impl Iterator<Item = (&PlotKey, &str)> {
        self.encoded.iter().map(|(key, text)| (key, text.as_str()))
    }

    /// The histograms of microseconds, by what they measure.
    pub fn histograms(&self) -> impl Iterator<Item = (&PlotKey, Histogram<u64>)> {
        // What we encoded ourselves decodes; a failure would only leave that line out.
        self.encoded.iter().filter_map(|(key, text)| Some((key, encoding::decode(text).ok()?)))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Intervals {
    width_ms: u64,
    start_ms: u64,
    end_ms: u64,
    filling: BTreeMap<PlotKey, Arc<TrendTotal>>,
    done: VecDeque<Interval>,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            width_ms: FIRST_WIDTH_MS,
            start_ms: 0,
            end_ms: 0,
            filling: BTreeMap::new(),
            done: VecDeque::new(),
        }
    }
}

impl Intervals {
    /// Intervals that were kept, each within one stretch of the width.
    pub(super) fn of(width_ms: u64, intervals: Vec<Interval>) -> Self {
        let end_ms = intervals.last().map_or(0, |interval| interval.end_ms);
        let width_ms = width_ms.max(FIRST_WIDTH_MS);
        let start_ms = end_ms.next_multiple_of(width_ms);
        Self { width_ms, start_ms, end_ms, filling: BTreeMap::new(), done: intervals.into() }
    }

    pub(super) fn width_ms(&self) -> u64 {
        self.width_ms
    }

    /// Both, in stretches of the greater width.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let width_ms = self.width_ms.max(other.width_ms);
        let mut stretches: BTreeMap<u64, Interval> = BTreeMap::new();
        for interval in self.clone().all().into_iter().chain(other.clone().all()) {
            match stretches.entry(interval.start_ms / width_ms) {
                Entry::Vacant(place) => drop(place.insert(interval)),
                Entry::Occupied(mut place) => {
                    let both = join(place.get(), &interval);
                    place.insert(both);
                }
            }
        }
        Self::of(width_ms, stretches.into_values().collect())
    }

    /// Adds a window's trends. Windows come in the order of time.
    pub(crate) fn add<'a>(
        &mut self,
        start_ms: u64,
        width_ms: u64,
        trends: impl Iterator<Item = (&'a PlotKey, &'a TrendTotal)>,
    ) {
        if start_ms >= self.start_ms + self.width_ms {
            self.close();
            self.start_ms = start_ms - start_ms % self.width_ms;
        }
        self.end_ms = start_ms + width_ms;
        for (key, trend) in trends {
            self.late(key.clone(), trend);
        }
    }

    /// Adds samples to the interval that is being filled.
    pub(crate) fn late(&mut self, key: PlotKey, trend: &TrendTotal) {
        Arc::make_mut(self.filling.entry(key).or_default()).merge(trend);
    }

    pub(crate) fn all(mut self) -> Vec<Interval> {
        self.close();
        self.done.into()
    }

    fn close(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        let filling = std::mem::take(&mut self.filling);
        let histograms = filling.iter().map(|(key, trend)| (key.clone(), trend.histogram()));
        self.done.push_back(Interval {
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            encoded: Arc::new(encode_all(histograms)),
        });
        if self.done.len() > MAX_INTERVALS {
            self.halve();
        }
    }

    /// Merges every two intervals into one of the double width.
    fn halve(&mut self) {
        self.width_ms *= 2;
        let done = std::mem::take(&mut self.done);
        let mut pairs: VecDeque<Interval> = VecDeque::new();
        for interval in done {
            match pairs.back_mut() {
                Some(last)
                    if last.start_ms / self.width_ms == interval.start_ms / self.width_ms =>
                {
                    *last = join(last, &interval);
                }
                _ => pairs.push_back(interval),
            }
        }
        self.done = pairs;
    }
}

fn join(a: &Interval, b: &Interval) -> Interval {
    let mut merged: BTreeMap<PlotKey, Histogram<u64>> = BTreeMap::new();
    for (key, mut histogram) in a.histograms().chain(b.histograms()) {
        histogram.auto(true);
        match merged.get_mut(key) {
            // Only a histogram that refuses to grow can refuse an addition; these grow.
            Some(sum) => drop(sum.add(&histogram)),
            None => drop(merged.insert(key.clone(), histogram)),
        }
    }
    let histograms = merged.iter().map(|(key, histogram)| (key.clone(), histogram));
    Interval {
        start_ms: a.start_ms.min(b.start_ms),
        end_ms: a.end_ms.max(b.end_ms),
        encoded: Arc::new(encode_all(histograms)),
    }
}

fn encode_all<'a>(
    histograms: impl Iterator<Item = (PlotKey, &'a Histogram<u64>)>,
) -> BTreeMap<PlotKey, String> {
    histograms.map(|(key, histogram)| (key, encoding::encode(histogram))).collect()
}
