//! What each process uses.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Row, Table};

use super::Scene;
use crate::report::{ProcessUsage, figures};

/// From this share of a core on, a process stands out.
pub(super) const BUSY_PERCENT: f64 = 80.0;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, theme, .. } = scene;
    let block = theme.panel("processes", Vec::new());
    // The head and the row of totals always stand.
    let room = usize::from(block.inner(area).height).saturating_sub(2);
    let mut shown: Vec<&ProcessUsage> = dashboard.processes.iter().collect();
    if shown.len() > room {
        shown.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent));
        shown.truncate(room);
    }
    let is_wide = area.width >= 44;
    let cells = |[name, percent, seconds, memory, fds]: [String; 5], style: Style| {
        let right = |text: String| Line::styled(text, style).right_aligned();
        let mut cells = vec![Line::styled(name, style), right(percent)];
        if is_wide {
            cells.push(right(seconds));
        }
        cells.push(right(memory));
        cells.push(right(fds));
        Row::new(cells)
    };
    let head = ["", "CPU", "CPU s", "PSS", "fds"].map(str::to_owned);
    let mut rows = vec![cells(head, theme.dim())];
    for process in shown {
        let style = if process.cpu_percent >= BUSY_PERCENT { theme.warn() } else { Style::new() };
        rows.push(cells(figures_of(process), style));
    }
    rows.push(cells(figures_of(&together(&dashboard.processes)), theme.strong()));
    let mut widths = vec![Constraint::Fill(1), Constraint::Length(5)];
    if is_wide {
        widths.push(Constraint::Length(7));
    }
    widths.extend([Constraint::Length(7), Constraint::Length(6)]);
    frame.render_widget(Table::new(rows, widths).column_spacing(1).block(block), area);
}

#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
fn figures_of(process: &ProcessUsage) -> [String; 5] {
    [
        process.name.clone(),
        format!("{:.0}%", process.cpu_percent),
        format!("{:.1}", process.cpu_seconds),
        figures::bytes(process.pss_bytes as f64),
        figures::count(process.fds as f64),
    ]
}

pub(super) fn together(processes: &[ProcessUsage]) -> ProcessUsage {
    ProcessUsage {
        name: "together".to_owned(),
        pid: 0,
        cpu_percent: processes.iter().map(|process| process.cpu_percent).sum(),
        cpu_seconds: processes.iter().map(|process| process.cpu_seconds).sum(),
        pss_bytes: processes.iter().map(|process| process.pss_bytes).sum(),
        peak_pss_bytes: processes.iter().map(|process| process.peak_pss_bytes).sum(),
        fds: processes.iter().map(|process| process.fds).sum(),
    }
}
