//! Metrics: k6's four kinds, recorded without locks in a shard and merged in the parent.
//!
//! A shard records into its [`Registry`], which hands out a [`Snapshot`] of what happened since the
//! last one; the parent merges the snapshots of all shards into one [`LoadState`], which
//! thresholds, the terminal UI and the reports read. Merging does not depend on the order of the
//! snapshots, so shards may be many and on other machines.

mod aggregation;
pub mod builtin;
mod encoding;
mod intervals;
mod registry;
mod saved;
mod snapshot;
pub mod state;
mod tracks;
mod trend;
pub mod windows;

pub use aggregation::Aggregation;
pub use builtin::{Kind, Metric, Unit, names};
pub use intervals::Interval;
pub(crate) use registry::STAGE_TAG;
pub use registry::{CounterId, GaugeId, RateId, Registry, StageId, TrendId};
pub use snapshot::{Delta, SeriesDelta, Snapshot, Tags};
pub use state::{Aggregate, GaugeTotal, LoadState, MergeError, RateTotal, SeriesKey};
pub use tracks::{Track, TrackKey, WindowValue};
pub use trend::TrendTotal;
pub use windows::{PlotKey, Reading, Window};

/// Trends hold 1 µs to 1 h: shorter times are recorded as 1 µs, longer ones as 1 h.
pub const TREND_MIN_US: u64 = 1;
/// The longest time that a trend tells apart, in microseconds.
pub const TREND_MAX_US: u64 = 3_600_000_000;
/// Every value of a trend is kept to three significant digits, as HDR histograms do.
pub const TREND_DIGITS: u8 = 3;
