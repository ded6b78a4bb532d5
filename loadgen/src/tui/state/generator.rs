//! The generator itself: whether it kept its plan, and what that cost.

use std::sync::Arc;

use super::{Points, gauge, per_second, trend};
use crate::metrics::{GaugeTotal, LoadState, Reading, TrendTotal, Window, names};

#[derive(Debug, Default)]
pub(in crate::tui) struct Generator {
    /// Milliseconds.
    pub(in crate::tui) lag_p50: Points,
    pub(in crate::tui) lag_p99: Points,
    pub(in crate::tui) lag_max: Points,
    pub(in crate::tui) lag: TrendTotal,
    pub(in crate::tui) busy: Points,
    pub(in crate::tui) allocated: Points,
    pub(in crate::tui) vus: Option<GaugeTotal>,
    pub(in crate::tui) vus_max: Option<GaugeTotal>,
    pub(in crate::tui) iterations: u64,
    /// In the latest second.
    pub(in crate::tui) iterations_per_second: f64,
    pub(in crate::tui) dropped: u64,
}

pub(in crate::tui) fn generator(load: &LoadState, windows: &[Arc<Window>]) -> Generator {
    let lag = |choose: fn(Reading) -> Option<f64>| trend(windows, names::SEND_LAG, None, choose);
    let iterations = per_second(windows, names::ITERATIONS);
    Generator {
        lag_p50: lag(|reading| match reading {
            Reading::Trend { p50, .. } => Some(p50),
            _ => None,
        }),
        lag_p99: lag(|reading| match reading {
            Reading::Trend { p99, .. } => Some(p99),
            _ => None,
        }),
        lag_max: lag(|reading| match reading {
            Reading::Trend { max, .. } => Some(max),
            _ => None,
        }),
        lag: load.trend(names::SEND_LAG, &[]),
        busy: gauge(windows, names::VUS),
        allocated: gauge(windows, names::VUS_MAX),
        vus: load.gauge(names::VUS, &[]),
        vus_max: load.gauge(names::VUS_MAX, &[]),
        iterations: load.count(names::ITERATIONS, &[]),
        iterations_per_second: iterations.last().map_or(0.0, |point| point.1),
        dropped: load.count(names::DROPPED_ITERATIONS, &[]),
    }
}
