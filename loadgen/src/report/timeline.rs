//! `timeline.csv`: a row for each window and series, for spreadsheets and notebooks.
//!
//! | column | of |
//! |---|---|
//! | `phase`, `start_s`, `width_s` | every row: the window, in seconds since the phase began |
//! | `metric`, `name`, `kind` | every row: the metric, one value of the tag `name` or nothing for all, `counter` … |
//! | `count`, `per_second` | counters; `count` also of trends |
//! | `value` | gauges; of rates the share from 0 to 1 |
//! | `passes`, `total` | rates |
//! | `p50_ms`, `p95_ms`, `p99_ms`, `max_ms` | trends |

use std::io;

use super::{Format, RunReport};
use crate::metrics::{PlotKey, Reading, Window};

const COLUMNS: [&str; 15] = [
    "phase",
    "start_s",
    "width_s",
    "metric",
    "name",
    "kind",
    "count",
    "per_second",
    "value",
    "passes",
    "total",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
];
/// Columns before a reading's own.
const KEYS: usize = 5;

/// The table as a report file.
pub(super) struct Timeline;

impl Format for Timeline {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn file_name(&self) -> &'static str {
        "timeline.csv"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS)?;
        for phase in &run.phases {
            for window in phase.load.windows() {
                for (key, reading) in window.readings() {
                    table.write_record(row(&phase.name, &window, key, reading))?;
                }
            }
        }
        table.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn row(phase: &str, window: &Window, key: &PlotKey, reading: Reading) -> Vec<String> {
    let mut row = vec![
        phase.to_owned(),
        seconds(window.start_ms),
        seconds(window.width_ms),
        key.metric.to_string(),
        key.name.as_deref().unwrap_or_default().to_owned(),
    ];
    row.extend(cells(reading));
    row
}

/// `kind` and what follows it.
fn cells(reading: Reading) -> [String; COLUMNS.len() - KEYS] {
    let mut cells = [const { String::new() }; COLUMNS.len() - KEYS];
    let mut put = |column: &str, text: String| {
        let place = COLUMNS.iter().position(|name| *name == column);
        if let Some(cell) = place.and_then(|place| cells.get_mut(place.checked_sub(KEYS)?)) {
            *cell = text;
        }
    };
    match reading {
        Reading::Counter { count, per_second } => {
            put("kind", "counter".to_owned());
            put("count", count.to_string());
            put("per_second", number(per_second));
        }
        Reading::Gauge(value) => {
            put("kind", "gauge".to_owned());
            put("value", number(value));
        }
        Reading::Rate(rate) => {
            put("kind", "rate".to_owned());
            put("value", number(rate.share()));
            put("passes", rate.passes.to_string());
            put("total", rate.total.to_string());
        }
        Reading::Trend { count, p50, p95, p99, max } => {
            put("kind", "trend".to_owned());
            put("count", count.to_string());
            for (column, ms) in [("p50_ms", p50), ("p95_ms", p95), ("p99_ms", p99), ("max_ms", max)]
            {
                put(column, number(ms));
            }
        }
    }
    cells
}

/// Six digits behind the point at most: finer is noise.
fn number(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}

fn seconds(ms: u64) -> String {
    let (whole, rest) = (ms / 1000, ms % 1000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}") }
}
