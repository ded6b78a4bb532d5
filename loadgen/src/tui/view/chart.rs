//! What the charts share: axes with labels that mean something.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType};

use crate::report::figures;
use crate::tui::state::Points;

/// Where an axis ends that has nothing to show yet.
const EMPTY_TOP: f64 = 10.0;

/// One line of a chart.
pub(super) struct Curve<'a> {
    pub points: &'a Points,
    pub color: Color,
    pub marker: Marker,
}

/// An axis: its bounds, and its labels from low to high, evenly spaced.
pub(super) struct Scale {
    pub bounds: [f64; 2],
    pub labels: Vec<String>,
}

/// Draws curves over time into a panel.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    block: Block<'_>,
    curves: &[Curve<'_>],
    horizon_s: f64,
    y: Scale,
    label_style: Style,
) {
    let datasets = curves
        .iter()
        .map(|curve| {
            Dataset::default()
                .data(curve.points)
                .marker(curve.marker)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(curve.color))
        })
        .collect();
    let axis = |scale: Scale| {
        let labels: Vec<Span<'_>> =
            scale.labels.into_iter().map(|label| Span::styled(label, label_style)).collect();
        Axis::default().bounds(scale.bounds).labels(labels).style(label_style)
    };
    let chart = Chart::new(datasets)
        .block(block)
        .legend_position(None)
        .x_axis(axis(time(horizon_s)))
        .y_axis(axis(y));
    frame.render_widget(chart, area);
}

fn time(horizon_s: f64) -> Scale {
    let at = |share: f64| {
        figures::duration(std::time::Duration::from_secs_f64((horizon_s * share).round()))
    };
    Scale { bounds: [0.0, horizon_s], labels: vec![at(0.0), at(0.5), at(1.0)] }
}

/// From zero to a round number above `highest`.
pub(super) fn linear(highest: f64, shown: fn(f64) -> String) -> Scale {
    let top = if highest > 0.0 { round_up(highest) } else { EMPTY_TOP };
    Scale { bounds: [0.0, top], labels: vec![shown(0.0), shown(top / 2.0), shown(top)] }
}

/// The next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten, with a little air.
fn round_up(highest: f64) -> f64 {
    let wanted = highest * 1.05;
    let decade = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * decade >= wanted);
    step.unwrap_or(10.0) * decade
}

/// Whole decades around the values; points must be given as `log10`. At least one decade.
pub(super) fn decades(lowest_ms: f64, highest_ms: f64, max_labels: usize) -> Scale {
    let low = lowest_ms.max(0.001).log10().floor();
    let high = highest_ms.max(0.001).log10().ceil().max(low + 1.0);
    let mut labels = Vec::new();
    let mut exponent = low;
    while exponent <= high {
        labels.push(figures::milliseconds(10_f64.powf(exponent)));
        exponent += 1.0;
    }
    if labels.len() > max_labels {
        labels = vec![labels[0].clone(), labels[labels.len() - 1].clone()];
    }
    Scale { bounds: [low, high], labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        assert_eq!(linear(1003.0, figures::count).labels, ["0", "600", "1,200"]);
        assert_eq!(linear(0.0, figures::count).labels, ["0", "5", "10"]);
        let log = decades(0.8, 140.0, 9);
        assert_eq!(log.bounds, [-1.0, 3.0]);
        assert_eq!(log.labels, ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        assert_eq!(decades(0.8, 140.0, 3).labels, ["100 µs", "1 s"]);
    }
}
