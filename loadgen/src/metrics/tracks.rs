//! Sliding windows: the value of a metric over every full window of a length, for thresholds such as
//! `p(95)[30s]<200`.
//!
//! Windows of up to a minute move by one second, longer ones by a sixtieth of their length. A window is valued
//! once, when its last second is sealed; samples that come even later, as from a shard that was cut off for
//! seconds, do not count in it. What is kept does not grow: after an hour of values, two become one, with the
//! lower and the higher of both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::windows::WINDOW_MS;
use super::{Aggregate, Aggregation, Kind, SeriesKey, builtin};

/// Slots of which a window is made at most.
const SLOTS: u64 = 60;
/// Values kept: an hour's, for windows that move by a second.
const MOST_VALUES: usize = 3600;

/// What is followed: an aggregation of the series of `metric` that carry all of `tags`, over `window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackKey {
    pub metric: String,
    pub tags: BTreeMap<String, String>,
    pub aggregation: Aggregation,
    pub window: Duration,
}

/// A full window's value, or the extremes of several that begin one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowValue {
    /// When the first of them begins.
    pub start_ms: u64,
    /// When the last of them ends.
    pub end_ms: u64,
    pub min: f64,
    pub max: f64,
}

/// The values of one [`TrackKey`]. What is saved of it are the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    key: TrackKey,
    slot_ms: u64,
    /// By slot index: what can still take samples, and what windows to come are made of.
    #[serde(skip)]
    slots: BTreeMap<u64, Arc<Slot>>,
    /// Windows whose last slot lies before this one have their value.
    valued_before: u64,
    #[serde(with = "shared")]
    values: Arc<VecDeque<WindowValue>>,
    /// Whether there is a series at all: what nobody counts is no zero.
    seen: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Slot {
    /// The milliseconds that the snapshots cover, summed over shards.
    covered_ms: u64,
    shards: BTreeSet<usize>,
    sum: Option<Aggregate>,
}

impl Track {
    #[must_use]
    pub(crate) fn new(key: TrackKey) -> Self {
        let window_ms = u64::try_from(key.window.as_millis()).unwrap_or(u64::MAX).max(WINDOW_MS);
        let slot_ms = window_ms.div_ceil(SLOTS).next_multiple_of(WINDOW_MS);
        let (slots, values) = Default::default();
        Self { key, slot_ms, slots, valued_before: 0, values, seen: false }
    }

    #[must_use]
    pub fn key(&self) -> &TrackKey {
        &self.key
    }

    /// The windows that have their value, oldest first; none without a series.
    pub fn values(&self) -> impl Iterator<Item = WindowValue> + '_ {
        self.values.iter().copied().filter(|_| self.seen)
    }

    /// Adds what another part of the same load had at the same time. Sums add up. Of times and shares only the
    /// bounds are known: those of all lie between those of the parts, so the extremes stand, which never flatters.
    pub fn merge(&mut self, other: &Self) {
        let sums = self.is_sum();
        let mut merged: BTreeMap<u64, WindowValue> = BTreeMap::new();
        for value in self.values.iter().chain(other.values.iter()) {
            let add = |own: &mut WindowValue| {
                let joined = join(*own, *value);
                let (min, max) = (own.min + value.min, own.max + value.max);
                *own = if sums { WindowValue { min, max, ..joined } } else { joined };
            };
            merged.entry(value.start_ms).and_modify(add).or_insert(*value);
        }
        self.values = Arc::new(merged.into_values().collect());
        self.seen |= other.seen;
        self.valued_before = self.valued_before.max(other.valued_before);
    }

    /// Notes that a snapshot covers this time, whether or not it has samples for the track.
    pub(crate) fn cover(&mut self, shard: usize, from_ms: u64, to_ms: u64) {
        if let Some(slot) = self.slot(from_ms, to_ms) {
            slot.covered_ms += to_ms.saturating_sub(from_ms);
            slot.shards.insert(shard);
        }
    }

    /// Adds a series' samples of a snapshot, if they are what is followed.
    pub(crate) fn add(&mut self, key: &SeriesKey, sample: &Aggregate, from_ms: u64, to_ms: u64) {
        let followed = *key.metric == *self.key.metric
            && self.key.tags.iter().all(|(tag, value)| key.tags.get(tag) == Some(value));
        if !followed {
            return;
        }
        self.seen = true;
        let Some(slot) = self.slot(from_ms, to_ms) else { return };
        match &mut slot.sum {
            Some(sum) => {
                // A series of another kind has been refused already.
                sum.merge(sample);
            }
            None => slot.sum = Some(sample.clone()),
        }
    }

    /// `None` when the windows of that time have their value already.
    fn slot(&mut self, from_ms: u64, to_ms: u64) -> Option<&mut Slot> {
        let index = u64::midpoint(from_ms, to_ms) / self.slot_ms;
        let open = index >= self.valued_before;
        open.then(|| Arc::make_mut(self.slots.entry(index).or_default()))
    }

    /// The last samples have come. A slot that has only begun ends the last window.
    pub(crate) fn close(&mut self, elapsed_ms: u64) {
        let is_full = elapsed_ms >= self.length() * self.slot_ms;
        self.settle(if is_full { elapsed_ms.next_multiple_of(self.slot_ms) } else { elapsed_ms });
    }

    /// Gives every full window that ends by `until_ms` its value.
    pub(crate) fn settle(&mut self, until_ms: u64) {
        while (self.valued_before + 1) * self.slot_ms <= until_ms {
            let last = self.valued_before;
            self.valued_before += 1;
            let Some(first) = (last + 1).checked_sub(self.length()) else { continue };
            if let Some(value) = self.value(first, last) {
                let (start_ms, end_ms) = (first * self.slot_ms, (last + 1) * self.slot_ms);
                let value = WindowValue { start_ms, end_ms, min: value, max: value };
                Arc::make_mut(&mut self.values).push_back(value);
            }
            self.slots = self.slots.split_off(&(first + 1));
            self.keep_within_bounds();
        }
    }

    /// Slots of one window.
    fn length(&self) -> u64 {
        let window_ms = u64::try_from(self.key.window.as_millis()).unwrap_or(u64::MAX);
        window_ms.div_ceil(self.slot_ms).max(1)
    }

    #[expect(clippy::cast_precision_loss, reason = "a window's counts are far below 2^52")]
    fn value(&self, first: u64, last: u64) -> Option<f64> {
        let slots = || self.slots.range(first..=last).map(|(_, slot)| slot);
        let mut sum: Option<Aggregate> = None;
        for sample in slots().filter_map(|slot| slot.sum.as_ref()) {
            match &mut sum {
                Some(sum) => {
                    // All of one metric, so of one kind.
                    sum.merge(sample);
                }
                None => sum = Some(sample.clone()),
            }
        }
        let Some(sum) = sum else { return self.value_of_nothing() };
        let (Aggregate::Counter(count), Aggregation::Rate) = (&sum, self.key.aggregation) else {
            return sum.value(self.key.aggregation, self.key.window);
        };
        // Per second of what the snapshots cover: they never end exactly with a slot.
        let per_slot = |slot: &Arc<Slot>| {
            slot.covered_ms as f64 / 1000.0 / (slot.shards.len() as f64).max(1.0)
        };
        let covered: f64 = slots().map(per_slot).sum();
        (covered > 0.0).then(|| *count as f64 / covered)
    }

    /// Where a sum stood still it was 0; of times and shares nothing can be said without samples.
    fn value_of_nothing(&self) -> Option<f64> {
        self.is_sum().then_some(0.0)
    }

    fn is_sum(&self) -> bool {
        let kind = builtin::find(&self.key.metric).map(|metric| metric.kind);
        kind == Some(Kind::Counter) || self.key.aggregation == Aggregation::Count
    }

    fn keep_within_bounds(&mut self) {
        if self.values.len() <= MOST_VALUES {
            return;
        }
        let values: Vec<WindowValue> = self.values.iter().copied().collect();
        let joined = values.chunks(2).filter_map(|pair| pair.iter().copied().reduce(join));
        self.values = Arc::new(joined.collect());
    }
}

fn join(a: WindowValue, b: WindowValue) -> WindowValue {
    let (start_ms, end_ms) = (a.start_ms.min(b.start_ms), a.end_ms.max(b.end_ms));
    WindowValue { start_ms, end_ms, min: a.min.min(b.min), max: a.max.max(b.max) }
}

/// What is shared in memory is written out whole.
mod shared {
    use super::{Arc, Deserialize, VecDeque, WindowValue};
    use serde::{Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        values: &Arc<VecDeque<WindowValue>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**values).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<VecDeque<WindowValue>>, D::Error> {
        VecDeque::deserialize(deserializer).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{LoadState, Registry};

    fn key(metric: &str, aggregation: Aggregation, seconds: u64) -> TrackKey {
        let (metric, tags) = (metric.to_owned(), BTreeMap::new());
        TrackKey { metric, tags, aggregation, window: Duration::from_secs(seconds) }
    }

    /// `seconds` with so many requests each.
    fn played(key: &TrackKey, seconds: u64, count: impl Fn(u64) -> u64) -> LoadState {
        let (registry, mut state) = (Registry::new(), LoadState::tracking([key.clone()]));
        let (reqs, times) = (registry.counter("http_reqs", &[]), registry.trend("send_lag", &[]));
        for second in 1..=seconds {
            registry.add(reqs, count(second));
            registry.observe(times, Duration::from_millis(count(second)));
            state.merge(0, &registry.snapshot(Duration::from_secs(second))).unwrap();
        }
        state.close();
        state
    }

    #[test]
    fn what_is_kept_does_not_grow_and_the_extremes_stay() {
        let key = key("http_reqs", Aggregation::Count, 1);
        let state = played(&key, 20_000, |second| if second == 4567 { 99 } else { 10 });
        let values: Vec<_> = state.track(&key).unwrap().values().collect();
        assert!(values.len() <= MOST_VALUES, "{}", values.len());
        let highest = values.iter().map(|value| value.max).fold(0.0, f64::max);
        assert_eq!(highest, 99.0);
        assert!(values.iter().all(|value| value.min == 10.0));
        assert_eq!(values.last().unwrap().end_ms, 20_000_000);
    }

    #[test]
    fn long_windows_move_by_a_sixtieth_of_their_length() {
        let key = key("http_reqs", Aggregation::Rate, 600);
        let state = played(&key, 620, |_| 10);
        let values: Vec<_> = state.track(&key).unwrap().values().collect();
        let starts: Vec<_> = values.iter().map(|value| value.start_ms).collect();
        assert_eq!(starts, [0, 10_000, 20_000]);
        assert!(values.iter().all(|value| (value.min, value.max) == (10.0, 10.0)), "{values:?}");
    }

    #[test]
    fn parts_of_a_load_are_put_together_without_flattery() {
        let counts = key("http_reqs", Aggregation::Count, 2);
        let part =
            |key: &TrackKey, count: u64| played(key, 4, |_| count).track(key).unwrap().clone();
        let mut sum = part(&counts, 3);
        sum.merge(&part(&counts, 5));
        let values: Vec<_> =
            sum.values().map(|value| (value.start_ms, value.min, value.max)).collect();
        assert_eq!(values, [(0, 16.0, 16.0), (1000, 16.0, 16.0), (2000, 16.0, 16.0)]);
        let times = key("send_lag", Aggregation::Max, 2);
        let mut worst = part(&times, 3);
        worst.merge(&part(&times, 5));
        assert!(worst.values().all(|value| (value.min, value.max) == (3.0, 5.0)));
        let text = serde_json::to_string(&sum).unwrap();
        let read: Track = serde_json::from_str(&text).unwrap();
        assert!(read.values().eq(sum.values()), "{text}");
    }
}
