//! What a shard tells its parent: everything recorded since the snapshot before.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::encoding;

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
    /// The HDR histogram of microseconds, V2 deflated, base64. Absent when `count` is 0.
    #[serde(default, skip_serializing_if = "Samples::is_absent")]
    pub histogram: Samples,
}

/// A histogram on its way: as it was recorded, until somebody writes it down.
///
/// Deflating takes a few milliseconds for all of a shard's trends together. The shard's own thread has none
/// to spare, since every request due meanwhile would start late: so whoever serializes pays for it.
#[derive(Debug, Clone)]
pub enum Samples {
    Recorded(Box<Histogram<u32>>),
    Encoded(String),
}

impl Samples {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Encoded(text) if text.is_empty())
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Recorded(histogram) => encoding::encode(histogram).into(),
            Self::Encoded(text) => text.into(),
        }
    }

    /// The histogram; the error says what is wrong with what was sent.
    pub(crate) fn decode(&self) -> Result<Histogram<u32>, String> {
        match self {
            Self::Recorded(histogram) => Ok((**histogram).clone()),
            Self::Encoded(text) => encoding::decode(text),
        }
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self::Encoded(String::new())
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Samples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::Encoded)
    }
}
