//! What each process uses, now and before.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::panel;
use crate::report::figures;
use crate::tui::history::spark;
use crate::tui::view::Scene;
use crate::tui::view::processes::{BUSY_PERCENT, together};
use crate::tui::view::table::{Column, Figures};

const SPARK: u16 = 18;
/// A full bar is a core.
const CORE: f64 = 100.0;

const COLUMNS: &[Column] = &[
    Column::figure("CPU", 5),
    Column::figure("PSS", 8),
    Column::figure("fds", 7),
    Column::text("CPU, a bar a second", SPARK + 2),
    Column::figure("CPU s", 7),
    Column::figure("peak PSS", 8),
    Column::text("PSS", SPARK),
    Column::figure("pid", 8),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, state, theme, .. } = scene;
    let all = together(&dashboard.processes);
    let nothing = (Vec::new(), Vec::new());
    let lines = state.process_lines.iter().chain([&nothing]);
    let rows = dashboard.processes.iter().chain([&all]).zip(lines).map(|(process, lines)| {
        let is_all = process.pid == 0;
        let busy = process.cpu_percent >= BUSY_PERCENT && !is_all;
        let style = match (busy, is_all) {
            (true, _) => theme.warn(),
            (_, true) => theme.strong(),
            _ => ratatui::style::Style::new(),
        };
        #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
        let bytes = |bytes: u64| Span::styled(figures::bytes(bytes as f64), style);
        #[expect(clippy::cast_precision_loss, reason = "descriptors stay far below 2^52")]
        let fds = figures::count(process.fds as f64);
        let width = usize::from(SPARK);
        let pid = if is_all { String::new() } else { process.pid.to_string() };
        let cells = vec![
            Span::styled(format!("{:.0}%", process.cpu_percent), style),
            bytes(process.pss_bytes),
            Span::styled(fds, style),
            Span::styled(spark(&lines.0, width, CORE), theme.accent()),
            Span::styled(format!("{:.1}", process.cpu_seconds), style),
            bytes(process.peak_pss_bytes),
            Span::styled(spark(&lines.1, width, 0.0), theme.accent()),
            Span::styled(pid, theme.dim()),
        ];
        (Span::styled(process.name.clone(), style), cells)
    });
    let figures = Figures { name: "process", columns: COLUMNS, rows: rows.collect() };
    figures.draw(frame, area, panel(scene, area, false, "processes", Vec::new()), theme.dim());
}
