//! What happened: kills, recoveries, the audit's progress. The newest is last.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::Scene;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, theme, .. } = scene;
    let block = theme.panel("notices", Vec::new());
    let room = usize::from(block.inner(area).height);
    let first = dashboard.notices.len().saturating_sub(room);
    let newest = dashboard.notices.len().saturating_sub(1);
    let mut lines: Vec<Line<'_>> = dashboard.notices[first..]
        .iter()
        .enumerate()
        .map(|(index, notice)| {
            let line = Line::raw(format!(" {notice}"));
            if first + index == newest { line } else { line.style(theme.dim()) }
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(" nothing out of the ordinary", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
