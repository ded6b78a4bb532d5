//! The end-of-run summary for a terminal: the verdict first, then what led to it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use super::digest;
use super::figures;
use super::{Format, PhaseReport, RunReport, Verdict};
use crate::metrics::Aggregate;

const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// The text summary as a report file, without colours.
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn file_name(&self) -> &'static str {
        "summary.txt"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        Ok(text_in(run, false).into_bytes())
    }
}

/// The summary for standard output: in colour on a terminal, unless nobody wants any.
#[must_use]
pub fn text(run: &RunReport) -> String {
    text_in(run, crate::color::is_wanted() && io::stdout().is_terminal())
}

/// The summary with or without colours.
#[must_use]
pub fn text_in(run: &RunReport, color: bool) -> String {
    let mut page = Page { out: String::new(), color };
    page.title(run);
    for phase in &run.phases {
        page.phase(phase);
    }
    page.out
}

struct Page {
    out: String,
    color: bool,
}

impl Page {
    fn title(&mut self, run: &RunReport) {
        let good = run.verdict == Verdict::Pass;
        let mark = if good { "✓" } else { "✗" };
        let verdict = format!("{mark} {}", run.verdict.label());
        let verdict = self.paint(if good { GREEN } else { RED }, &verdict);
        let verdict = self.paint(BOLD, &verdict);
        let exit = self.paint(DIM, &format!("exit {}", run.verdict.exit_code()));
        self.line(&format!("\n  {}  {verdict}  {exit}", self.paint(BOLD, &run.scenario)));
    }

    fn phase(&mut self, phase: &PhaseReport) {
        let duration = figures::duration(phase.duration);
        let heading = self.paint(BOLD, &phase.name);
        self.line(&format!("\n  ▌ {heading} {}", self.paint(DIM, &duration)));
        self.thresholds(phase);
        self.times(phase);
        self.totals(phase);
        self.checks(phase);
        self.errors(phase);
        self.processes(phase);
        self.closing(phase);
    }

    fn thresholds(&mut self, phase: &PhaseReport) {
        let held = phase.thresholds.iter().filter(|verdict| verdict.ok).count();
        self.heading(&format!("thresholds  {held} of {} hold", phase.thresholds.len()));
        let name = |verdict: &crate::threshold::ThresholdVerdict| {
            format!("{}: {}", verdict.threshold.selector(), verdict.threshold.expression)
        };
        let width =
            phase.thresholds.iter().map(|verdict| name(verdict).chars().count()).max().unwrap_or(0);
        for verdict in &phase.thresholds {
            let shown = |value: f64| figures::threshold(&verdict.threshold, value);
            let value = verdict.value.map_or("no data".to_owned(), shown);
            let margin =
                self.paint(if verdict.ok { DIM } else { RED }, &super::margin_line(verdict));
            let row = format!(
                "{} {:width$}  {value:>10}  {margin}",
                self.mark(verdict.ok),
                name(verdict)
            );
            self.row(&row);
        }
    }

    fn times(&mut self, phase: &PhaseReport) {
        let mut rows = Vec::new();
        for selector in digest::selectors(&phase.load, &phase.thresholds) {
            if let Some(Aggregate::Trend(trend)) =
                phase.load.select(&selector.metric, &selector.tags())
                && !trend.is_empty()
            {
                let indent = if selector.tags.is_empty() { "" } else { "  " };
                let label =
                    selector.label.strip_prefix(&*selector.metric).filter(|part| !part.is_empty());
                let label = format!("{indent}{}", label.unwrap_or(&selector.label));
                rows.push((label, trend));
            }
        }
        let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0).max(5);
        if rows.is_empty() {
            return;
        }
        let columns = ["count", "avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"];
        let columns: String = columns.map(|column| format!("{column:>10}")).concat();
        self.heading(&format!("{:width$}{columns}", "times"));
        for (label, trend) in rows {
            let mut row = format!("{label:width$}{:>10}", figures::count(as_f64(trend.count())));
            let at = |percentile| trend.percentile_ms(percentile);
            for ms in [
                trend.avg_ms(),
                trend.min_ms(),
                at(50.0),
                at(90.0),
                at(95.0),
                at(99.0),
                trend.max_ms(),
            ] {
                let _ = write!(row, "{:>10}", figures::milliseconds(ms));
            }
            self.row(&row);
        }
    }

    fn totals(&mut self, phase: &PhaseReport) {
        let mut is_first = true;
        for metric in phase.load.metrics() {
            let Some(samples) = phase.load.select(&metric, &[]) else { continue };
            let Some((value, detail)) = super::total(&metric, &samples, phase.duration) else {
                continue;
            };
            if std::mem::take(&mut is_first) {
                self.heading("totals");
            }
            let detail = self.paint(DIM, &detail);
            self.row(&format!("{metric:26}{value:>12}  {detail}"));
        }
    }

    fn checks(&mut self, phase: &PhaseReport) {
        let checks = digest::checks(&phase.load);
        if checks.is_empty() {
            return;
        }
        self.heading("checks");
        for check in checks {
            let failed = if check.fails == 0 {
                String::new()
            } else {
                let (fails, all) = (as_f64(check.fails), as_f64(check.fails + check.passes));
                let text =
                    format!("  {} of {} did not hold", figures::count(fails), figures::count(all));
                self.paint(RED, &text)
            };
            self.row(&format!("{} {}{failed}", self.mark(check.fails == 0), check.name));
        }
    }

    fn errors(&mut self, phase: &PhaseReport) {
        let errors = digest::errors(&phase.load);
        if errors.is_empty() {
            return;
        }
        self.heading("errors");
        for (what, count) in errors {
            self.row(&format!("{:>10}  {what}", figures::count(as_f64(count))));
        }
    }

    fn processes(&mut self, phase: &PhaseReport) {
        if phase.processes.is_empty() {
            return;
        }
        self.heading(&format!(
            "{:16}{:>10}{:>10}{:>12}",
            "processes", "CPU", "of a core", "peak PSS"
        ));
        for process in &phase.processes {
            let cpu = format!("{:.1} s", process.cpu_seconds);
            let percent = format!("{:.0} %", process.cpu_percent);
            let memory = figures::bytes(as_f64(process.peak_pss_bytes));
            self.row(&format!("{:16}{cpu:>10}{percent:>10}{memory:>12}", process.name));
        }
        let memory: u64 = phase.processes.iter().map(|process| process.peak_pss_bytes).sum();
        let cpu: f64 = phase.processes.iter().map(|process| process.cpu_seconds).sum();
        let (cpu, memory) = (format!("{cpu:.1} s"), figures::bytes(as_f64(memory)));
        let row = self.paint(BOLD, &format!("{:16}{cpu:>10}{:>10}{memory:>12}", "together", ""));
        self.row(&row);
    }

    fn closing(&mut self, phase: &PhaseReport) {
        self.heading("generator");
        let validity = super::validity_line(&phase.validity);
        self.row(&format!("{} {validity}", self.mark(phase.validity.valid)));
        if !phase.recovery.is_empty() {
            self.heading("recovery");
        }
        for recovery in &phase.recovery {
            let mark = self.mark(recovery.recovered_in.is_some());
            self.row(&format!("{mark} {}", super::recovery_line(recovery)));
        }
        if !phase.audit_lines.is_empty() {
            self.heading("audit");
        }
        for line in &phase.audit_lines {
            self.row(line);
        }
    }

    fn heading(&mut self, text: &str) {
        let text = self.paint(DIM, text);
        self.line(&format!("\n    {text}"));
    }

    fn row(&mut self, text: &str) {
        self.line(&format!("    {}", text.trim_end()));
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn mark(&self, ok: bool) -> String {
        if ok { self.paint(GREEN, "✓") } else { self.paint(RED, "✗") }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("{style}{text}{RESET}")
        } else {
            text.to_owned()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
