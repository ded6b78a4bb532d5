//! What happened over time, in few enough points for a picture.

use std::sync::Arc;

use super::chart::Points;
use crate::metrics::{LoadState, Reading, Window};
use crate::report::digest;

/// Points of a line at most: more than a picture has places for.
const MAX_POINTS: usize = 240;

/// The windows of a phase, several to a point where there are many.
pub(super) struct Timeline {
    /// Each with the windows of one stretch of time.
    cells: Vec<Vec<Arc<Window>>>,
    /// Seconds of a point.
    pub width_s: f64,
}

impl Timeline {
    pub(super) fn of(load: &LoadState) -> Self {
        let windows = digest::finished_windows(load);
        let end_ms = windows.last().map_or(0, |window| window.start_ms + window.width_ms);
        let widest_ms = windows.iter().map(|window| window.width_ms).max().unwrap_or(1000).max(1);
        // A whole number of the widest windows, so that none lies in two points.
        let per_point = end_ms.div_ceil(MAX_POINTS as u64 * widest_ms).max(1);
        let width_ms = per_point * widest_ms;
        let mut cells: Vec<Vec<Arc<Window>>> = Vec::new();
        let mut last = None;
        for window in windows {
            let cell = window.start_ms / width_ms;
            if last != Some(cell) {
                cells.push(Vec::new());
                last = Some(cell);
            }
            if let Some(cell) = cells.last_mut() {
                cell.push(window);
            }
        }
        Self { cells, width_s: seconds(width_ms) }
    }

    /// Points this far apart have something between them that was not measured.
    pub(super) fn gap_s(&self) -> f64 {
        self.width_s * 2.5
    }

    /// p50, p95 and p99 in milliseconds. Percentiles cannot be averaged: of several windows the worst stands.
    pub(super) fn percentiles(&self, metric: &str, name: Option<&str>) -> [Points; 3] {
        let of = |choose: fn([f64; 3]) -> f64| {
            self.points(|windows| {
                let values =
                    windows.iter().filter_map(|window| match window.reading(metric, name)? {
                        Reading::Trend { p50, p95, p99, .. } => Some(choose([p50, p95, p99])),
                        _ => None,
                    });
                values.reduce(f64::max)
            })
        };
        [of(|at| at[0]), of(|at| at[1]), of(|at| at[2])]
    }

    /// A counter's rate per second: all that was counted over the time that it took. Seconds without a
    /// count are zero from the first one on.
    pub(super) fn rate(&self, metric: &str) -> Points {
        let mut begun = false;
        self.points(|windows| {
            let counts =
                windows.iter().filter_map(|window| match window.reading(metric, None)? {
                    Reading::Counter { per_second, .. } => {
                        Some(per_second * seconds(window.width_ms))
                    }
                    _ => None,
                });
            let (mut any, mut sum) = (false, 0.0);
            for count in counts {
                (any, sum) = (true, sum + count);
            }
            begun |= any;
            let time: f64 = windows.iter().map(|window| seconds(window.width_ms)).sum();
            begun.then(|| sum / time.max(f64::MIN_POSITIVE))
        })
    }

    /// How many samples of a rate were true, per second.
    #[expect(clippy::cast_precision_loss, reason = "a window's counts are far below 2^52")]
    pub(super) fn failures(&self, metric: &str) -> Points {
        self.points(|windows| {
            let passes =
                windows.iter().filter_map(|window| match window.reading(metric, None)? {
                    Reading::Rate(rate) => Some(rate.passes as f64),
                    _ => None,
                });
            let time: f64 = windows.iter().map(|window| seconds(window.width_ms)).sum();
            passes.reduce(|a, b| a + b).map(|passes| passes / time.max(f64::MIN_POSITIVE))
        })
    }

    /// A gauge's highest readings.
    pub(super) fn gauge(&self, metric: &str) -> Points {
        self.points(|windows| {
            let values =
                windows.iter().filter_map(|window| match window.reading(metric, None)? {
                    Reading::Gauge(value) => Some(value),
                    _ => None,
                });
            values.reduce(f64::max)
        })
    }

    fn points(&self, mut value: impl FnMut(&[Arc<Window>]) -> Option<f64>) -> Points {
        let middle = |windows: &[Arc<Window>]| {
            let start = windows.first().map_or(0, |window| window.start_ms);
            let end = windows.last().map_or(0, |window| window.start_ms + window.width_ms);
            seconds(start + end) / 2.0
        };
        self.cells.iter().filter_map(|windows| Some((middle(windows), value(windows)?))).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run's milliseconds are far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
