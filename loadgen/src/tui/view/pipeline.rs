//! The saga's stages as bars in time: each begins where the median of those before it ends.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Scene;
use crate::report::figures;
use crate::tui::state::Stage;

const LABEL_WIDTH: usize = 15;
/// Two figures of up to seven characters with a blank before each.
const FIGURES_WIDTH: usize = 17;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let legend =
        vec![Span::styled("█ p50 ", theme.accent()), Span::styled("░ p95", theme.accent())];
    let block = theme.panel("pipeline", legend);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if state.stages.is_empty() {
        let waiting = Line::styled(" no order has come through yet", theme.dim());
        frame.render_widget(waiting, inner);
        return;
    }
    let span_ms =
        state.stages.iter().map(|stage| stage.start_ms + stage.p95_ms).fold(0.0, f64::max);
    let width = usize::from(inner.width).saturating_sub(LABEL_WIDTH + FIGURES_WIDTH + 2);
    let lines: Vec<Line<'_>> =
        state.stages.iter().map(|stage| bar(stage, span_ms, width, scene)).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn bar(stage: &Stage, span_ms: f64, width: usize, scene: Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let start = cells(stage.start_ms, span_ms, width).min(width.saturating_sub(1));
    let p50 = cells(stage.start_ms + stage.p50_ms, span_ms, width).saturating_sub(start).max(1);
    let p95 = cells(stage.start_ms + stage.p95_ms, span_ms, width).saturating_sub(start + p50);
    let rest = width.saturating_sub(start + p50 + p95);
    let shown = figures::milliseconds;
    Line::from(vec![
        Span::raw(format!(" {:LABEL_WIDTH$} ", stage.label)),
        Span::raw(" ".repeat(start)),
        Span::styled("█".repeat(p50), theme.accent()),
        Span::styled("░".repeat(p95), theme.accent()),
        Span::raw(" ".repeat(rest)),
        Span::raw(format!("{:>8}", shown(stage.p50_ms))),
        Span::styled(format!("{:>8}", shown(stage.p95_ms)), theme.strong()),
    ])
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the width is within the width"
)]
fn cells(ms: f64, span_ms: f64, width: usize) -> usize {
    let width = f64::from(u16::try_from(width).unwrap_or(u16::MAX));
    (ms / span_ms.max(f64::MIN_POSITIVE) * width).round() as usize
}
