//! One page for each thing that a person may want to look at alone.

mod errors;
mod generator;
mod http;
mod pipeline;
mod processes;
mod websocket;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::Block;

use super::Scene;
use crate::metrics::TrendTotal;
use crate::report::figures;
use crate::tui::page::Page;

/// From this height on a page has charts above its figures.
const WITH_CHARTS: u16 = 14;
/// Below this width a page has one column.
const TWO_COLUMNS: u16 = 60;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    match scene.overlay.page {
        // Drawn by whoever lays out the overview.
        Page::Overview => {}
        Page::Http => http::draw(frame, area, scene),
        Page::WebSocket => websocket::draw(frame, area, scene),
        Page::Pipeline => pipeline::draw(frame, area, scene),
        Page::Errors => errors::draw(frame, area, scene),
        Page::Processes => processes::draw(frame, area, scene),
        Page::Generator => generator::draw(frame, area, scene),
    }
}

/// The charts' area (none where there is no room) and the figures', of so many lines with their frame.
fn charts_and_figures(area: Rect, lines: usize) -> (Option<Rect>, Rect) {
    if area.height < WITH_CHARTS {
        return (None, area);
    }
    let lines = u16::try_from(lines).unwrap_or(u16::MAX).min(area.height.saturating_sub(8));
    let [charts, figures] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(lines)]).areas(area);
    (Some(charts), figures)
}

/// Two areas side by side; the second is empty where there is no room for it.
fn halves(area: Rect) -> [Rect; 2] {
    let second = if area.width < TWO_COLUMNS { 0 } else { 1 };
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(second)]).areas(area)
}

/// A panel, or only its inside where every line counts: beside charts there is room for a frame.
fn panel<'a>(
    scene: Scene<'a>,
    area: Rect,
    with_charts: bool,
    name: &'static str,
    title: Vec<Span<'a>>,
) -> Block<'a> {
    let has_room = with_charts || area.height >= super::tiny::FRAMED;
    if has_room { scene.theme.panel(name, title) } else { Block::new() }
}

/// p50, p95, p99 and the longest, or as many blanks.
fn times(trend: &TrendTotal, style: Style) -> Vec<Span<'static>> {
    if trend.is_empty() {
        return vec![Span::raw("–"); 4];
    }
    let shown = [
        trend.percentile_ms(50.0),
        trend.percentile_ms(95.0),
        trend.percentile_ms(99.0),
        trend.max_ms(),
    ];
    shown.into_iter().map(|ms| Span::styled(figures::milliseconds(ms), style)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(count: u64) -> Span<'static> {
    Span::raw(figures::count(count as f64))
}
