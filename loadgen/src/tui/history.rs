//! What a dashboard alone does not tell: how processes and errors came to be as they are. Bounded.

use std::collections::{BTreeMap, VecDeque};

use super::Dashboard;
use crate::report::digest;

/// Dashboards remembered: five minutes of one a second.
const MOST_FRAMES: usize = 300;

#[derive(Debug, Default)]
pub(super) struct History {
    phase: String,
    frames: VecDeque<Frame>,
}

#[derive(Debug)]
struct Frame {
    /// Percent of a core and bytes, by the process's name.
    processes: BTreeMap<String, (f64, f64)>,
    /// Occurrences so far, by kind.
    errors: BTreeMap<String, u64>,
}

impl History {
    /// Remembers one more; another phase's are forgotten.
    pub(super) fn add(&mut self, dashboard: &Dashboard) {
        if self.phase != dashboard.run.phase {
            self.phase.clone_from(&dashboard.run.phase);
            self.frames.clear();
        }
        #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
        let processes = dashboard
            .processes
            .iter()
            .map(|process| (process.name.clone(), (process.cpu_percent, process.pss_bytes as f64)))
            .collect();
        let errors = digest::errors(&dashboard.load).into_iter().collect();
        self.frames.push_back(Frame { processes, errors });
        if self.frames.len() > MOST_FRAMES {
            self.frames.pop_front();
        }
    }

    /// Percent of a core over time, oldest first.
    pub(super) fn cpu(&self, process: &str) -> Vec<f64> {
        self.frames.iter().filter_map(|frame| Some(frame.processes.get(process)?.0)).collect()
    }

    /// Bytes over time, oldest first.
    pub(super) fn memory(&self, process: &str) -> Vec<f64> {
        self.frames.iter().filter_map(|frame| Some(frame.processes.get(process)?.1)).collect()
    }

    /// How many came from one frame to the next, oldest first.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(super) fn new_errors(&self, kind: &str) -> Vec<f64> {
        let counts = self.frames.iter().map(|frame| frame.errors.get(kind).copied().unwrap_or(0));
        let mut before = 0;
        counts
            .map(|count| count.saturating_sub(std::mem::replace(&mut before, count)) as f64)
            .collect()
    }
}

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The newest values as a line of bars, as wide as there are values but at most `width`. `top` is what a
/// full bar means; higher values make it higher.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a level between 0 and 7"
)]
pub(super) fn spark(values: &[f64], width: usize, top: f64) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let top = shown.iter().copied().fold(top, f64::max);
    let level = |value: &f64| {
        if *value <= 0.0 || top <= 0.0 {
            return ' ';
        }
        LEVELS[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1]
    };
    shown.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ProcessUsage, Validity};
    use crate::tui::RunInfo;

    fn dashboard(phase: &str, cpu_percent: f64) -> Dashboard {
        let process = ProcessUsage {
            name: "load-0".into(),
            pid: 7,
            cpu_percent,
            cpu_seconds: 1.0,
            pss_bytes: 1000,
            peak_pss_bytes: 1000,
            fds: 3,
        };
        let limit = std::time::Duration::from_millis(10);
        Dashboard {
            run: RunInfo { phase: phase.into(), ..RunInfo::default() },
            load: std::sync::Arc::default(),
            thresholds: Vec::new(),
            validity: Validity { valid: true, send_lag_p99: limit, limit, reason: None },
            processes: vec![process],
            notices: Vec::new(),
        }
    }

    #[test]
    fn hours_are_forgotten_and_so_is_another_phase() {
        let mut history = History::default();
        for second in 0..20_000_u32 {
            history.add(&dashboard("shop", f64::from(second)));
        }
        let cpu = history.cpu("load-0");
        assert_eq!((cpu.len(), cpu.last()), (MOST_FRAMES, Some(&19_999.0)));
        assert_eq!(history.memory("load-0").len(), MOST_FRAMES);
        assert!(history.cpu("nobody").is_empty());
        history.add(&dashboard("kafka", 5.0));
        assert_eq!(history.cpu("load-0"), vec![5.0]);
    }

    #[test]
    fn a_spark_shows_the_newest_values_and_nothing_for_nothing() {
        assert_eq!(spark(&[0.0, 1.0, 4.0, 8.0], 9, 0.0), " ▁▄█");
        assert_eq!(spark(&[0.0, 1.0, 4.0, 8.0], 2, 0.0), "▄█");
        assert_eq!(spark(&[50.0], 9, 100.0), "▄");
        assert_eq!(spark(&[], 9, 1.0), "");
        assert_eq!(spark(&[0.0, 0.0], 9, 0.0), "  ");
    }
}
