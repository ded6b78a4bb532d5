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
    let latency = &scene.state.latency;
    let name = format!("{} response", latency.subject);
    let name = if area.width < NARROW { &latency.subject } else { &name };
    let lines = [&latency.p50, &latency.p95, &latency.p99];
    draw_lines(frame, area, scene, name, ["p50", "p95", "p99"], lines);
}

/// Three times in one chart, from the calmest to the loudest.
pub(super) fn draw_lines(
    frame: &mut Frame<'_>,
    area: Rect,
    scene: Scene<'_>,
    name: &str,
    labels: [&'static str; 3],
    lines: [&Points; 3],
) {
    let Scene { state, theme, .. } = scene;
    let styles = theme.percentiles();
    let is_narrow = area.width < NARROW;
    let mut title = Vec::new();
    let now = lines.map(|line| line.last().map(|point| point.1));
    for (index, (label, ms)) in labels.into_iter().zip(now).enumerate() {
        let Some(ms) = ms else { break };
        let gap = if index == 0 { "" } else { " " };
        // One unit for all where there is no room for each to have its own.
        let (figure, unit) = match (is_narrow, index) {
            (false, _) => (figures::milliseconds(ms), ""),
            (true, 2) => (figures::three_digits(ms), " ms"),
            (true, _) => (figures::three_digits(ms), ""),
        };
        title.push(Span::styled(format!("{gap}{label} {figure}{unit}"), styles[index]));
    }
    let logs = lines.map(logarithms);
    let values = || [lines[0], lines[2]].into_iter().flatten().map(|point| point.1);
    let lowest = values().fold(f64::MAX, f64::min);
    let highest = values().fold(0.0, f64::max);
    let max_labels = usize::from(area.height.saturating_sub(NOT_PLOT));
    let y = if highest > 0.0 {
        chart::decades(lowest, highest, max_labels)
    } else {
        chart::decades(1.0, 100.0, max_labels)
    };
    // The calm one last: where curves cross, it stays visible.
    let curves = [2, 1, 0].map(|index| Curve {
        points: &logs[index],
        color: theme.plot(styles[index]),
        marker: Marker::Braille,
    });
    let block = theme.panel(name, title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}

fn logarithms(points: &Points) -> Points {
    points.iter().map(|(time, ms)| (*time, ms.max(0.001).log10())).collect()
}
