//! The saga's stages, and whether as much comes out as goes in.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};

use super::WITH_CHARTS;
use crate::report::figures;
use crate::tui::view::chart::{self, Curve};
use crate::tui::view::{Scene, pipeline};

/// The stages' bars with their frame.
const BARS: u16 = 8;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let with_chart = area.height >= WITH_CHARTS;
    let [chart, line, bars] = Layout::vertical([
        Constraint::Fill(u16::from(with_chart)),
        Constraint::Length(1),
        if with_chart { Constraint::Length(BARS) } else { Constraint::Fill(1) },
    ])
    .areas(area);
    if with_chart {
        rates(frame, chart, scene);
    }
    frame.render_widget(summary(scene), line);
    pipeline::draw(frame, bars, scene);
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn summary(scene: Scene<'_>) -> Line<'static> {
    let Scene { state, theme, .. } = scene;
    let flow = &state.flow;
    let shown = |count: u64| figures::count(count as f64);
    let (into, out) =
        if flow.what == "orders" { ("created", "seen to end") } else { ("sent", "received") };
    let mut spans = vec![
        Span::styled(format!(" {} ", shown(flow.entered)), theme.strong()),
        Span::raw(format!("{} {into} · ", flow.what)),
        Span::styled(shown(flow.left), theme.strong()),
        Span::raw(format!(" {out}")),
    ];
    if flow.unknown > 0 {
        let what = if flow.what == "orders" { "without an answer" } else { "lost" };
        spans.push(Span::styled(format!(" · {} {what}", shown(flow.unknown)), theme.bad()));
    }
    Line::from(spans)
}

fn rates(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let flow = &state.flow;
    let [calm, _, loud] = theme.percentiles();
    let now = |points: &[(f64, f64)]| points.last().map_or(0.0, |point| point.1);
    let figure = |points: &[(f64, f64)]| figures::count(now(points).round());
    let title = vec![
        Span::styled(format!("in {}/s", figure(&flow.entering)), calm),
        Span::raw(" "),
        Span::styled(format!("out {}/s", figure(&flow.leaving)), loud),
    ];
    let all = flow.entering.iter().chain(&flow.leaving);
    let highest = all.map(|point| point.1).fold(0.0, f64::max);
    let curve = |points, style| Curve { points, color: theme.plot(style), marker: Marker::Braille };
    let curves = [curve(&flow.leaving, loud), curve(&flow.entering, calm)];
    let y = chart::linear(highest, figures::count);
    let block = theme.panel(flow.what, title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}
