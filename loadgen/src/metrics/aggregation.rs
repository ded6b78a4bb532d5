//! How many samples become one number.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Kind};

/// k6's aggregation methods.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Avg,
    Min,
    Max,
    Med,
    /// 0 to 100.
    Percentile(f64),
    Count,
    /// Of a counter: per second of the time it is taken over. Of a rate: the share (0 to 1).
    Rate,
    Value,
}

impl Aggregation {
    /// Whether a metric of this kind knows it.
    #[must_use]
    pub fn fits(self, kind: Kind) -> bool {
        use Aggregation::{Avg, Count, Max, Med, Min, Percentile, Rate, Value};
        match kind {
            Kind::Counter => matches!(self, Count | Rate),
            Kind::Gauge => matches!(self, Value | Min | Max),
            Kind::Rate => matches!(self, Rate),
            Kind::Trend => matches!(self, Avg | Min | Max | Med | Percentile(_) | Count),
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => formatter.write_str("avg"),
            Self::Min => formatter.write_str("min"),
            Self::Max => formatter.write_str("max"),
            Self::Med => formatter.write_str("med"),
            Self::Percentile(percentile) => write!(formatter, "p({percentile})"),
            Self::Count => formatter.write_str("count"),
            Self::Rate => formatter.write_str("rate"),
            Self::Value => formatter.write_str("value"),
        }
    }
}

impl Aggregate {
    /// Its number, times in milliseconds; a counter's rate is taken over `over`. `None` without samples, or
    /// when the kind does not know the aggregation.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn value(&self, aggregation: Aggregation, over: Duration) -> Option<f64> {
        match (self, aggregation) {
            (Self::Counter(count), Aggregation::Count) => Some(*count as f64),
            (Self::Counter(count), Aggregation::Rate) => {
                (!over.is_zero()).then(|| *count as f64 / over.as_secs_f64())
            }
            (Self::Gauge(gauge), Aggregation::Value) => Some(gauge.value),
            (Self::Gauge(gauge), Aggregation::Min) => Some(gauge.min),
            (Self::Gauge(gauge), Aggregation::Max) => Some(gauge.max),
            (Self::Rate(rate), Aggregation::Rate) => (rate.total > 0).then(|| rate.share()),
            (Self::Trend(trend), aggregation) if !trend.is_empty() => match aggregation {
                Aggregation::Avg => Some(trend.avg_ms()),
                Aggregation::Min => Some(trend.min_ms()),
                Aggregation::Max => Some(trend.max_ms()),
                Aggregation::Med => Some(trend.percentile_ms(50.0)),
                Aggregation::Percentile(percentile) => Some(trend.percentile_ms(percentile)),
                Aggregation::Count => Some(trend.count() as f64),
                Aggregation::Rate | Aggregation::Value => None,
            },
            _ => None,
        }
    }
}
