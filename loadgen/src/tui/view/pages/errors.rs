//! Errors by kind, how many and when, and what happened at the time.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{charts_and_figures, count, halves, panel};
use crate::report::figures;
use crate::tui::history::spark;
use crate::tui::view::table::{Column, Figures};
use crate::tui::view::{Scene, notices, thresholds};

/// A minute of one bar a second where there is room.
const SPARK: u16 = 60;
const NARROW_SPARK: u16 = 24;
const WIDE: u16 = 100;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let (others, table) = charts_and_figures(area, (state.errors.len() + 3).max(8));
    if let Some(others) = others {
        let [left, right] = halves(others);
        thresholds::draw(frame, left, scene);
        if right.width > 0 {
            notices::draw(frame, right, scene);
        }
    }
    let total = figures::count(state.error_count_f64());
    let title = if state.errors.is_empty() {
        vec![Span::styled("none so far", theme.good())]
    } else {
        vec![Span::styled(format!("{total} in all"), theme.bad())]
    };
    let block = panel(scene, table, others.is_some(), "errors", title);
    if state.errors.is_empty() {
        let inner = block.inner(table);
        frame.render_widget(block, table);
        let text = " no request failed, no socket broke, nothing was dropped";
        frame.render_widget(Line::styled(text, theme.dim()), inner);
        return;
    }
    let width = if area.width < WIDE { NARROW_SPARK } else { SPARK };
    let columns = [Column::figure("count", 9), Column::text("new, second by second", width)];
    let rows = state.errors.iter().zip(&state.error_lines).map(|((kind, errors), line)| {
        let line = spark(line, usize::from(width), 0.0);
        let cells = vec![count(*errors).style(theme.bad()), Span::styled(line, theme.bad())];
        (Span::raw(kind.as_str()), cells)
    });
    let figures = Figures { name: "kind", columns: &columns, rows: rows.collect() };
    figures.draw(frame, table, block, theme.dim());
}
