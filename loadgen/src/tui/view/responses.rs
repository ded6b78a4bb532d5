//! What came back: errors first, then the HTTP statuses.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Scene;
use crate::report::figures;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let title = if state.error_count == 0 {
        Span::styled("no errors", theme.good())
    } else {
        let count = figures::count(state.error_count_f64());
        Span::styled(format!("{count} errors"), theme.bad())
    };
    let errors = state.errors.iter().map(|(what, count)| line(what, *count, theme.bad()));
    // A status that came only as an error has been listed.
    let is_listed = |status: &str, count: u64| {
        let what = format!("HTTP {status}");
        state.errors.iter().any(|(listed, errors)| *listed == what && *errors == count)
    };
    let others = state.statuses.iter().filter(|(status, count)| !is_listed(status, *count));
    let statuses = others.map(|(status, count)| {
        let is_good = status.starts_with(['1', '2', '3']);
        let style = if is_good { theme.good() } else { theme.warn() };
        line(&format!("HTTP {status}"), *count, style)
    });
    let lines: Vec<Line<'_>> = errors.chain(statuses).collect();
    let block = theme.panel("responses", vec![title]);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn line(what: &str, count: u64, style: ratatui::style::Style) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{:>10}", figures::count(count as f64)), style),
        Span::raw(format!("  {what}")),
    ])
}
