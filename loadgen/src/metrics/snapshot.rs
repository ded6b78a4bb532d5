//! What a shard tells its parent: everything recorded since the snapshot before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The tags of one series, in the order of their keys.
pub type Tags = BTreeMap<String, String>;

/// The samples of one interval of one shard. Its times are milliseconds since the phase began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub from_ms: u64,
    pub to_ms: u64,
    pub series: Vec<SeriesDelta>,
}

/// One series' samples of the interval. A series appears in the first snapshot after it was
/// registered, even without samples, and then whenever it has some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesDelta {
    pub metric: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
    pub delta: Delta,
}

/// What happened to a series within the interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// How much was added.
    Counter(u64),
    /// The value at the interval's end, and the lowest and highest within it. Absent if never set.
    Gauge(Option<GaugeReading>),
    Rate {
        passes: u64,
        total: u64,
    },
    Trend(TrendDelta),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GaugeReading {
    pub value: f64,
    pub min: f64,
    pub max: f64,
}

/// A trend's interval histogram, with the figures that a histogram would round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrendDelta {
    pub count: u64,
    pub sum_us: u64,
    pub min_us: u64,
    pub max_us: u64,
    /// The HDR histogram of microseconds, V2 deflated, base64. Empty when `count` is 0.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub histogram: String,
}
