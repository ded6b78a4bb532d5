//! WebSockets: open, connecting, talking, breaking.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span;

use super::{charts_and_figures, count, halves, panel, times};
use crate::report::figures;
use crate::tui::view::chart::{self, Curve};
use crate::tui::view::table::{Column, Figures};
use crate::tui::view::{Scene, sockets};

const COLUMNS: &[Column] = &[
    Column::figure("all", 10),
    Column::figure("/s", 8),
    Column::figure("p50", 8),
    Column::figure("p95", 8),
    Column::figure("p99", 8),
    Column::figure("longest", 8),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let rows = rows(scene);
    let (charts, table) = charts_and_figures(area, rows.len() + 3);
    if let Some(charts) = charts {
        let [left, right] = halves(charts);
        sockets::draw(frame, left, scene);
        if right.width > 0 {
            connects(frame, right, scene);
        }
    }
    let title = match state.sockets.now {
        Some(open) if charts.is_none() => {
            vec![Span::styled(format!("{} open", figures::count(open)), theme.accent())]
        }
        _ => Vec::new(),
    };
    let figures = Figures { name: "", columns: COLUMNS, rows };
    figures.draw(
        frame,
        table,
        panel(scene, table, charts.is_some(), "WebSockets", title),
        theme.dim(),
    );
}

fn rows(scene: Scene<'_>) -> Vec<(Span<'_>, Vec<Span<'_>>)> {
    let Scene { state, theme, .. } = scene;
    let sockets = &state.websockets;
    let blank = || Span::raw("");
    let per_second = |rate: f64| Span::raw(figures::count(rate.round()));
    let connects_now = sockets.connects.last().map_or(0.0, |point| point.1);
    let mut connecting = vec![count(sockets.sessions), per_second(connects_now)];
    connecting.extend(times(&sockets.connecting, Style::new()));
    let mut lasted = vec![count(sockets.lasted.count()), blank()];
    lasted.extend(times(&sockets.lasted, Style::new()));
    let messages = |(all, now): (u64, f64)| vec![count(all), per_second(now)];
    let mut rows = vec![
        (Span::raw("connected"), connecting),
        (Span::raw("closed after"), lasted),
        (Span::raw("received"), messages(sockets.received)),
        (Span::raw("sent"), messages(sockets.sent)),
    ];
    for (kind, errors) in &sockets.errors {
        let style = if *errors > 0 { theme.bad() } else { theme.dim() };
        rows.push((Span::styled(kind.as_str(), style), vec![count(*errors).style(style)]));
    }
    rows
}

fn connects(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let points = &state.websockets.connects;
    let now = points.last().map_or(0.0, |point| point.1);
    let title = vec![Span::styled(format!("{}/s", figures::count(now.round())), theme.accent())];
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let curves = [Curve { points, color: theme.plot(theme.accent()), marker: Marker::Braille }];
    let y = chart::linear(highest, figures::count);
    let block = theme.panel("connecting", title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}
