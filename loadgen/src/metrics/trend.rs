//! A trend's samples, merged.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::TREND_DIGITS;
use super::snapshot::TrendDelta;

/// A distribution of times. Percentiles are exact to three digits; count, average, minimum and
/// maximum are exact.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendTotal {
    pub(super) histogram: Histogram<u64>,
    pub(super) count: u64,
    pub(super) sum_us: u64,
    pub(super) min_us: u64,
    pub(super) max_us: u64,
}

impl Default for TrendTotal {
    fn default() -> Self {
        // Grows with its values: most never see more than a second, and a parent holds many.
        let histogram = Histogram::new(TREND_DIGITS).expect("three digits are supported");
        Self { histogram, count: 0, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }
}

impl TrendTotal {
    /// How many samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The average in milliseconds; 0 without samples.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^52 µs (142 years)")]
    pub fn avg_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_us as f64 / self.count as f64 / 1000.0 }
    }

    /// The shortest time in milliseconds; 0 without samples.
    #[must_use]
    pub fn min_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { to_ms(self.min_us) }
    }

    /// The longest time in milliseconds; 0 without samples.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        to_ms(self.max_us)
    }

    /// A percentile (0 to 100) in milliseconds; 0 without samples.
    #[must_use]
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        // A bucket's upper edge may lie past the longest time that was really seen.
        to_ms(self.histogram.value_at_percentile(percentile).clamp(self.min_us, self.max_us))
    }

    /// A percentile (0 to 100).
    #[must_use]
    pub fn percentile(&self, percentile: f64) -> Duration {
        Duration::from_secs_f64(self.percentile_ms(percentile) / 1000.0)
    }

    /// The HDR histogram of microseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Adds the other's samples.
    pub fn merge(&mut self, other: &Self) {
        // Only a histogram that refuses to grow can refuse an addition; this one grows.
        let added = self.histogram.add(&other.histogram).is_ok();
        debug_assert!(added, "a growing histogram takes every other");
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// The samples that came after `before`, an earlier state of the same trend. Minimum and maximum are the
    /// histogram's, to three digits: of those alone nobody knows more.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut histogram = self.histogram.clone();
        if histogram.subtract(&before.histogram).is_err() || histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            sum_us: self.sum_us.saturating_sub(before.sum_us),
            min_us: histogram.min_nz().max(self.min_us),
            max_us: histogram.max().min(self.max_us),
            histogram,
        }
    }

    /// The sum of all times in milliseconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^52 µs (142 years)")]
    pub fn sum_ms(&self) -> f64 {
        self.sum_us as f64 / 1000.0
    }

    /// Reads what a shard sent; the error says what is wrong with it.
    pub(crate) fn from_delta(delta: &TrendDelta) -> Result<Self, String> {
        if delta.count == 0 {
            return Ok(Self::default());
        }
        let decoded = delta.histogram.decode()?;
        if decoded.len() != delta.count {
            return Err(format!("{} samples announced, {} sent", delta.count, decoded.len()));
        }
        // A shard's histogram reaches to an hour; most values do not, and what is kept and copied
        // here every second should be no larger than its values.
        let highest = decoded.max().max(2);
        let mut histogram =
            Histogram::new_with_max(highest, TREND_DIGITS).map_err(|error| error.to_string())?;
        histogram.auto(true);
        for step in decoded.iter_recorded() {
            histogram.saturating_record_n(step.value_iterated_to(), step.count_at_value().into());
        }
        let TrendDelta { count, sum_us, min_us, max_us, .. } = *delta;
        Ok(Self { histogram, count, sum_us, min_us, max_us })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour has 3.6e9 µs, exact in an f64")]
fn to_ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
