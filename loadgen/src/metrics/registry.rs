//! The recording side: one registry per shard, on one thread.
//!
//! A series is registered once per metric and tag set and is an index from then on. Recording
//! takes no lock and allocates nothing: histograms have their full range from the start (94 KB
//! each), because growing one would be an allocation just when the system is slow.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::snapshot::{Delta, GaugeReading, Samples, SeriesDelta, Snapshot, Tags, TrendDelta};
use super::{Kind, TREND_DIGITS, TREND_MAX_US, TREND_MIN_US, builtin};

/// A counter series of the registry that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterId(u32);
/// A gauge series of the registry that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaugeId(u32);
/// A rate series of the registry that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateId(u32);
/// A trend series of the registry that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrendId(u32);

/// A stage of a scenario that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageId(u32);

/// The tag of samples that belong to a stage with a name, by their iteration's intended start.
pub(crate) const STAGE_TAG: &str = "stage";
/// Where a stage's series of its own has not been made yet.
const NOT_MADE: u32 = u32::MAX;

/// The metrics of one shard. Clones are handles to the same registry.
///
/// Counters should be registered at the start even if they may never count anything: a threshold
/// such as `count==0` needs a series to judge, and a series that nobody registered is "no data".
#[derive(Clone, Default)]
pub struct Registry(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    index: HashMap<(Kind, String, Tags), u32>,
    counters: Vec<Series<u64>>,
    gauges: Vec<Series<Gauge>>,
    rates: Vec<Series<Rate>>,
    trends: Vec<Series<Trend>>,
    stages: Vec<String>,
    /// Where samples go at present.
    stage: Option<StageId>,
    last_ms: u64,
}

struct Series<T> {
    metric: String,
    tags: Tags,
    /// False until a snapshot has told the parent that the series exists.
    announced: bool,
    /// By stage, the index of the series with that stage's tag, once a sample needed it.
    staged: Vec<u32>,
    cell: T,
}

#[derive(Default)]
struct Gauge {
    reading: Option<GaugeReading>,
}

#[derive(Default)]
struct Rate {
    passes: u64,
    total: u64,
}

struct Trend {
    histogram: Histogram<u32>,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter series of this metric and these tags; the same one each time.
    #[must_use]
    pub fn counter(&self, metric: &str, tags: &[(&str, &str)]) -> CounterId {
        let inner = &mut *self.0.borrow_mut();
        let (id, is_new) = inner.identify(Kind::Counter, metric, tags, inner.counters.len());
        if is_new {
            inner.counters.push(Series::new(metric, tags, 0_u64));
        }
        CounterId(id)
    }

    /// The gauge series of this metric and these tags; the same one each time.
    #[must_use]
    pub fn gauge(&self, metric: &str, tags: &[(&str, &str)]) -> GaugeId {
        let inner = &mut *self.0.borrow_mut();
        let (id, is_new) = inner.identify(Kind::Gauge, metric, tags, inner.gauges.len());
        if is_new {
            inner.gauges.push(Series::new(metric, tags, Gauge::default()));
        }
        GaugeId(id)
    }

    /// The rate series of this metric and these tags; the same one each time.
    #[must_use]
    pub fn rate(&self, metric: &str, tags: &[(&str, &str)]) -> RateId {
        let inner = &mut *self.0.borrow_mut();
        let (id, is_new) = inner.identify(Kind::Rate, metric, tags, inner.rates.len());
        if is_new {
            inner.rates.push(Series::new(metric, tags, Rate::default()));
        }
        RateId(id)
    }

    /// The trend series of this metric and these tags; the same one each time.
    #[must_use]
    pub fn trend(&self, metric: &str, tags: &[(&str, &str)]) -> TrendId {
        let inner = &mut *self.0.borrow_mut();
        let (id, is_new) = inner.identify(Kind::Trend, metric, tags, inner.trends.len());
        if is_new {
            inner.trends.push(Series::new(metric, tags, Trend::default()));
        }
        TrendId(id)
    }

    /// The stage of this name; the same one each time.
    #[must_use]
    pub fn stage(&self, name: &str) -> StageId {
        let stages = &mut self.0.borrow_mut().stages;
        let known = stages.iter().position(|stage| stage == name);
        let index = known.unwrap_or_else(|| {
            stages.push(name.to_owned());
            stages.len() - 1
        });
        StageId(u32::try_from(index).unwrap_or(NOT_MADE))
    }

    /// From now on samples carry the tag `stage`, or none. Gives what was before. Gauges never do: they show
    /// the present, whatever stage it is.
    pub fn enter(&self, stage: Option<StageId>) -> Option<StageId> {
        std::mem::replace(&mut self.0.borrow_mut().stage, stage)
    }

    /// Adds to a counter.
    #[inline]
    pub fn add(&self, id: CounterId, amount: u64) {
        let inner = &mut *self.0.borrow_mut();
        let at = inner.at(id.0, Kind::Counter, |inner| &mut inner.counters);
        if let Some(series) = inner.counters.get_mut(at) {
            series.cell += amount;
        }
    }

    /// Sets a gauge.
    #[inline]
    pub fn set(&self, id: GaugeId, value: f64) {
        if let Some(series) = self.0.borrow_mut().gauges.get_mut(id.0 as usize) {
            series.cell.set(value);
        }
    }

    /// Adds one sample to a rate.
    #[inline]
    pub fn record(&self, id: RateId, pass: bool) {
        let inner = &mut *self.0.borrow_mut();
        let at = inner.at(id.0, Kind::Rate, |inner| &mut inner.rates);
        if let Some(series) = inner.rates.get_mut(at) {
            series.cell.passes += u64::from(pass);
            series.cell.total += 1;
        }
    }

    /// Adds one time to a trend.
    #[inline]
    pub fn observe(&self, id: TrendId, time: Duration) {
        let inner = &mut *self.0.borrow_mut();
        let at = inner.at(id.0, Kind::Trend, |inner| &mut inner.trends);
        if let Some(series) = inner.trends.get_mut(at) {
            series.cell.observe(time);
        }
    }

    /// Everything since the last snapshot. `elapsed` is the time since the phase began.
    #[must_use]
    pub fn snapshot(&self, elapsed: Duration) -> Snapshot {
        let inner = &mut *self.0.borrow_mut();
        let to_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(inner.last_ms);
        let from_ms = std::mem::replace(&mut inner.last_ms, to_ms);
        let mut series = Vec::new();
        for counter in &mut inner.counters {
            let amount = std::mem::take(&mut counter.cell);
            counter.report(amount > 0, &mut series, |_| Delta::Counter(amount));
        }
        for gauge in &mut inner.gauges {
            // A gauge keeps its value when nobody sets it, so it always has something to say.
            let is_set = gauge.cell.reading.is_some();
            gauge.report(is_set, &mut series, |cell| Delta::Gauge(cell.take()));
        }
        for rate in &mut inner.rates {
            let Rate { passes, total } = std::mem::take(&mut rate.cell);
            rate.report(total > 0, &mut series, |_| Delta::Rate { passes, total });
        }
        for trend in &mut inner.trends {
            let sampled = trend.cell.count > 0;
            trend.report(sampled, &mut series, |cell| Delta::Trend(cell.take()));
        }
        Snapshot { from_ms, to_ms, series }
    }
}

impl Inner {
    /// The index of a series, and whether it is new and must be pushed.
    fn identify(
        &mut self,
        kind: Kind,
        metric: &str,
        tags: &[(&str, &str)],
        next: usize,
    ) -> (u32, bool) {
        debug_assert!(
            builtin::find(metric).is_none_or(|builtin| builtin.kind == kind),
            "{metric} is no {kind}"
        );
        let next = u32::try_from(next).unwrap_or(u32::MAX);
        let id = *self.index.entry((kind, metric.to_owned(), owned(tags))).or_insert(next);
        (id, id == next)
    }

    /// Where a sample goes: to the series itself, or to its sister with the present stage's tag.
    #[inline]
    fn at<T: Default>(
        &mut self,
        id: u32,
        kind: Kind,
        all: impl Fn(&mut Self) -> &mut Vec<Series<T>>,
    ) -> usize {
        let Some(stage) = self.stage else { return id as usize };
        let series = all(self).get(id as usize);
        let known = series.and_then(|series| series.staged.get(stage.0 as usize)).copied();
        match known {
            Some(made) if made != NOT_MADE => made as usize,
            _ => self.make_staged(id, stage, kind, all) as usize,
        }
    }

    /// Once for each series and stage: the only time that recording allocates.
    #[cold]
    fn make_staged<T: Default>(
        &mut self,
        id: u32,
        stage: StageId,
        kind: Kind,
        all: impl Fn(&mut Self) -> &mut Vec<Series<T>>,
    ) -> u32 {
        let Some(name) = self.stages.get(stage.0 as usize).cloned() else { return id };
        let next = all(self).len();
        let Some(series) = all(self).get(id as usize) else { return id };
        let (metric, own) = (series.metric.clone(), series.tags.clone());
        let mut tags: Vec<_> =
            own.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        tags.retain(|(key, _)| *key != STAGE_TAG);
        tags.push((STAGE_TAG, &name));
        let (made, is_new) = self.identify(kind, &metric, &tags, next);
        if is_new {
            all(self).push(Series::new(&metric, &tags, T::default()));
        }
        if let Some(series) = all(self).get_mut(id as usize) {
            let needed = (stage.0 as usize + 1).max(series.staged.len());
            series.staged.resize(needed, NOT_MADE);
            if let Some(place) = series.staged.get_mut(stage.0 as usize) {
                *place = made;
            }
        }
        made
    }
}

impl<T> Series<T> {
    fn new(metric: &str, tags: &[(&str, &str)], cell: T) -> Self {
        Self {
            metric: metric.to_owned(),
            tags: owned(tags),
            announced: false,
            staged: Vec::new(),
            cell,
        }
    }

    fn report(
        &mut self,
        sampled: bool,
        into: &mut Vec<SeriesDelta>,
        delta: impl FnOnce(&mut T) -> Delta,
    ) {
        if sampled || !self.announced {
            self.announced = true;
            let delta = delta(&mut self.cell);
            into.push(SeriesDelta { metric: self.metric.clone(), tags: self.tags.clone(), delta });
        }
    }
}

impl Gauge {
    #[inline]
    fn set(&mut self, value: f64) {
        self.reading = Some(match self.reading {
            Some(GaugeReading { min, max, .. }) => {
                GaugeReading { value, min: min.min(value), max: max.max(value) }
            }
            None => GaugeReading { value, min: value, max: value },
        });
    }

    /// The interval's reading; the next interval starts from the present value.
    fn take(&mut self) -> Option<GaugeReading> {
        let reading = self.reading;
        if let Some(GaugeReading { value, .. }) = reading {
            self.reading = Some(GaugeReading { value, min: value, max: value });
        }
        reading
    }
}

impl Default for Trend {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(TREND_MIN_US, TREND_MAX_US, TREND_DIGITS)
            .expect("the bounds are constants that the crate accepts");
        Self { histogram, count: 0, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }
}

impl Trend {
    #[inline]
    fn observe(&mut self, time: Duration) {
        let micros = time.as_secs().saturating_mul(1_000_000) + u64::from(time.subsec_micros());
        let micros = micros.clamp(TREND_MIN_US, TREND_MAX_US);
        self.histogram.saturating_record(micros);
        self.count += 1;
        self.sum_us += micros;
        self.min_us = self.min_us.min(micros);
        self.max_us = self.max_us.max(micros);
    }

    fn take(&mut self) -> TrendDelta {
        if self.count == 0 {
            return TrendDelta::default();
        }
        let delta = TrendDelta {
            count: self.count,
            sum_us: self.sum_us,
            min_us: self.min_us,
            max_us: self.max_us,
            histogram: Samples::Recorded(Box::new(self.histogram.clone())),
        };
        self.histogram.reset();
        (self.count, self.sum_us, self.min_us, self.max_us) = (0, 0, u64::MAX, 0);
        delta
    }
}

fn owned(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
