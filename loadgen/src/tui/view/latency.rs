//! Latency percentiles over time, on a logarithmic scale: what matters is the tail.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::text::Span;

use super::Scene;
use super::chart::{self, Curve};
use crate::report::figures;
use crate::tui::state::Points;

/// Below this width, the title is short.
const NARROW: u16 = 50;
/// The panel's frame and the axis with its labels.
const NOT_PLOT: u16 = 4;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let latency = &state.latency;
    let styles = theme.percentiles();
    let is_narrow = area.width < NARROW;
    let mut title = Vec::new();
    if let Some(now) = latency.now {
        for (index, (name, ms)) in ["p50", "p95", "p99"].into_iter().zip(now).enumerate() {
            let gap = if index == 0 { "" } else { " " };
            // One unit for all where there is no room for each to have its own.
            let (figure, unit) = match (is_narrow, index) {
                (false, _) => (figures::milliseconds(ms), ""),
                (true, 2) => (figures::three_digits(ms), " ms"),
                (true, _) => (figures::three_digits(ms), ""),
            };
            let text = format!("{gap}{name} {figure}{unit}");
            title.push(Span::styled(text, styles[index]));
        }
    }
    let logs = [&latency.p50, &latency.p95, &latency.p99].map(logarithms);
    let values = || [&latency.p50, &latency.p99].into_iter().flatten().map(|point| point.1);
    let lowest = values().fold(f64::MAX, f64::min);
    let highest = values().fold(0.0, f64::max);
    let max_labels = usize::from(area.height.saturating_sub(NOT_PLOT));
    let y = if highest > 0.0 {
        chart::decades(lowest, highest, max_labels)
    } else {
        chart::decades(1.0, 100.0, max_labels)
    };
    // The median last: where curves cross, the calm one stays visible.
    let curves = [2, 1, 0].map(|index| Curve {
        points: &logs[index],
        color: theme.plot(styles[index]),
        marker: Marker::Braille,
    });
    let name = format!("{} response", latency.subject);
    let name = if is_narrow { &latency.subject } else { &name };
    let block = theme.panel(name, title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}

fn logarithms(points: &Points) -> Points {
    points.iter().map(|(time, ms)| (*time, ms.max(0.001).log10())).collect()
}
