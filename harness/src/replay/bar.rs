//! A progress bar, or plain lines where nobody could see one.

use std::io::IsTerminal as _;
use std::time::Duration;

use contract::replay::{ReplayReport, ReplayState};
use tokio::time::Instant;

use crate::say;

const WIDTH: usize = 40;

/// Between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// The progress as people see it.
pub(super) struct Bar {
    terminal: bool,
    last: Option<Instant>,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: None }
    }

    pub(super) fn show(&mut self, report: &ReplayReport) {
        if self.terminal {
            say::aside(format_args!("\r{}\x1b[K", drawn(report)));
        } else if report.state != ReplayState::Running
            || self.last.is_none_or(|last| last.elapsed() >= LINE_INTERVAL)
        {
            // The last line is told however soon it comes.
            self.last = Some(Instant::now());
            say::aside(format_args!("{}\n", plain(report)));
        }
    }

    pub(super) fn end(&self) {
        if self.terminal {
            say::aside("\n");
        }
    }
}

fn percent(report: &ReplayReport) -> u64 {
    (report.read * 100).checked_div(report.total).map_or(100, |percent| percent.min(100))
}

fn drawn(report: &ReplayReport) -> String {
    let filled = WIDTH * usize::try_from(percent(report)).unwrap_or(0) / 100;
    format!("[{}{}] {}", "█".repeat(filled), "░".repeat(WIDTH - filled), plain(report))
}

fn plain(report: &ReplayReport) -> String {
    let ReplayReport { service, read, total, rate, applied, dropped, .. } = report;
    let percent = percent(report);
    format!(
        "{service}: {percent} %, {read} of {total} offsets, {applied} applied, {dropped} dropped, \
         {rate:.0}/s"
    )
}

#[cfg(test)]
mod tests {
    use contract::replay::{ReplayRequest, ReplayTrigger};

    use super::*;

    fn report(read: u64, total: u64) -> ReplayReport {
        ReplayReport {
            service: "inventory".into(),
            trigger: ReplayTrigger::Manual,
            state: ReplayState::Running,
            request: ReplayRequest::default(),
            started_at: contract::Timestamp::default(),
            finished_at: None,
            checkpoint: None,
            total,
            read,
            applied: read,
            dropped: 0,
            outside_window: 0,
            rate: 100.0,
            orders_compared: 0,
            differences: 0,
            examples: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn the_bar_fills() {
        let filled = |report: &ReplayReport| drawn(report).matches('█').count();
        assert_eq!((filled(&report(0, 200)), filled(&report(100, 200))), (0, WIDTH / 2));
        assert_eq!(filled(&report(0, 0)), WIDTH, "nothing to do is done");
        assert!(plain(&report(50, 200)).contains("25 %, 50 of 200"));
    }
}
