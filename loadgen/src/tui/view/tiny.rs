//! For terminals too small for panels: the figures as text, the most important first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Scene, header, pages};
use crate::report::figures;
use crate::tui::page::Page;
use crate::tui::state::{Standing, standing};

/// From this height on, a page's figures have a frame.
pub(super) const FRAMED: u16 = 10;
/// From this width on, labels are written out.
const ROOMY: u16 = 36;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let is_overview = scene.overlay.page == Page::Overview;
    let [top, body, foot] = Layout::vertical([
        Constraint::Length(if is_overview { 2 } else { 3 }),
        Constraint::Fill(1),
        Constraint::Length(u16::from(area.height > 6)),
    ])
    .areas(area);
    header::draw(frame, top, scene);
    if is_overview {
        frame.render_widget(Paragraph::new(lines(scene, body.width)), body);
    } else {
        pages::draw(frame, body, scene);
    }
    header::foot(frame, foot, scene);
}

fn lines(scene: Scene<'_>, width: u16) -> Vec<Line<'static>> {
    let Scene { dashboard, state, theme, .. } = scene;
    let mut lines = Vec::new();
    for verdict in &dashboard.thresholds {
        if standing(verdict) == Standing::Crossed {
            let text =
                format!(" {} {}", verdict.threshold.selector(), verdict.threshold.expression);
            lines.push(Line::from(vec![theme.standing(Standing::Crossed), Span::raw(text)]));
        }
    }
    let label_width = if width < ROOMY { 9 } else { 15 };
    let row = |label: &str, value: String| {
        let label: String = label.chars().take(label_width).collect();
        let label = Span::styled(format!(" {label:label_width$} "), theme.dim());
        Line::from(vec![label, Span::raw(value)])
    };
    if let Some(now) = state.rate.now {
        let target = state
            .rate
            .target_now
            .map_or(String::new(), |rate| format!(" of {}/s", figures::count(rate)));
        lines.push(row("rate", format!("{}/s{target}", figures::count(now.round()))));
    }
    if let Some([_, p95, p99]) = state.latency.now.map(|now| now.map(figures::milliseconds)) {
        lines.push(row(&state.latency.subject, format!("p95 {p95} p99 {p99}")));
    }
    if let Some(open) = state.sockets.now {
        lines.push(row("sockets", format!("{} open", figures::count(open))));
    }
    for stage in &state.stages {
        let (p50, p95) = (figures::milliseconds(stage.p50_ms), figures::milliseconds(stage.p95_ms));
        lines.push(row(stage.label, format!("p50 {p50} p95 {p95}")));
    }
    for (what, count) in &state.errors {
        lines.push(row("error", format!("{count} {what}")));
    }
    let hold = dashboard.thresholds.iter().filter(|verdict| verdict.ok).count();
    lines.push(row("holds", format!("{hold}/{} thresholds", dashboard.thresholds.len())));
    lines
}
