//! Replay (specification §9.3): what is asked for and what is told, as JSON on the management port.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::OrderId;

/// The body of `POST /replay`. What is left out has the specification's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReplayRequest {
    pub from: ReplayFrom,
    /// Events between two looks at the clock.
    pub batch_size: u32,
    /// Events a second; 0 for as many as go.
    pub rate: u32,
    /// Older events are not replayed, and their orders not compared.
    pub window_hours: u32,
    /// Replace a state that differs by the replayed one.
    pub apply: bool,
}

impl Default for ReplayRequest {
    fn default() -> Self {
        let from = ReplayFrom::Checkpoint;
        Self { from, batch_size: 1_000, rate: 100, window_hours: 24, apply: false }
    }
}

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplayFrom {
    /// With the last snapshot, or with the oldest event when there is none.
    Checkpoint,
    /// With the oldest event: checks the snapshots too.
    Earliest,
}

/// Why a replay took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplayTrigger {
    Manual,
    /// A start that found no usable snapshot: the whole log was folded.
    NoSnapshot,
    /// The service was too far behind the log.
    Lag,
}

/// How a replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    Running,
    /// The replayed state and the live one are the same.
    Consistent,
    Differs,
    /// They differed, and the replayed one took the place of the live one.
    Mended,
    Failed,
}

/// A replay's progress and findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayReport {
    pub service: String,
    pub trigger: ReplayTrigger,
    pub state: ReplayState,
    pub request: ReplayRequest,
    #[cfg_attr(feature = "openapi", schema(value_type = chrono::DateTime<chrono::Utc>))]
    pub started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<chrono::DateTime<chrono::Utc>>))]
    pub finished_at: Option<Timestamp>,
    /// When the snapshot was written that it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<chrono::DateTime<chrono::Utc>>))]
    pub checkpoint: Option<Timestamp>,
    /// Offsets to read, and read so far.
    pub total: u64,
    pub read: u64,
    /// Events taken in.
    pub applied: u64,
    /// Events whose step had been taken already.
    pub dropped: u64,
    /// Events older than the window.
    pub outside_window: u64,
    /// Events a second.
    pub rate: f64,
    pub orders_compared: u64,
    pub differences: u64,
    /// The first of them.
    pub examples: Vec<ReplayDifference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An order of which the live state and the replayed one say different things, each as hexadecimal digits
/// of its encoding; nothing where it does not know the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayDifference {
    pub order_id: OrderId,
    pub live: String,
    pub replayed: String,
}

/// What the last start began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartReport {
    /// Orders that came from snapshots.
    pub orders_restored: u64,
    /// Parts of the state for which there was no usable snapshot.
    pub without_snapshot: usize,
    /// Snapshots that could not be used, and why.
    pub refused: Vec<String>,
    /// Records folded until the service was ready.
    pub records_folded: u64,
    pub ready_after_ms: u64,
}

/// How far the service is behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LagReport {
    pub records: u64,
    /// 0 for no limit.
    pub limit: u64,
    pub exceeded: bool,
}

/// The answer to `GET /replay`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayStatus {
    /// The replay that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartReport>,
    pub lag: LagReport,
}
