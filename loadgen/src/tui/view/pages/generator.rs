//! The generator itself: how late it starts what is due, whom it has to do it, and what that costs.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span;

use super::{charts_and_figures, count, halves, panel, times};
use crate::report::{ProcessUsage, figures};
use crate::tui::view::chart::{self, Curve};
use crate::tui::view::table::{Column, Figures};
use crate::tui::view::{Scene, latency};

/// The names of the load processes begin so.
const LOAD: &str = "load";

const COLUMNS: &[Column] = &[
    Column::figure("now", 10),
    Column::figure("p50", 8),
    Column::figure("p95", 8),
    Column::figure("p99", 8),
    Column::figure("longest", 8),
    Column::figure("limit", 9),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let rows = rows(scene);
    let (charts, table) = charts_and_figures(area, rows.len() + 3);
    if let Some(charts) = charts {
        let [left, right] = halves(charts);
        send_lag(frame, left, scene);
        if right.width > 0 {
            users(frame, right, scene);
        }
    }
    let block = panel(scene, table, charts.is_some(), "generator", Vec::new());
    let figures = Figures { name: "", columns: COLUMNS, rows };
    figures.draw(frame, table, block, scene.theme.dim());
}

fn rows(scene: Scene<'_>) -> Vec<(Span<'_>, Vec<Span<'_>>)> {
    let Scene { dashboard, state, theme, .. } = scene;
    let generator = &state.generator;
    let raw = |figure: f64| Span::raw(figures::count(figure));
    let limit = dashboard.validity.limit.as_secs_f64() * 1000.0;
    let lag_now = generator.lag_p99.last().map(|point| figures::milliseconds(point.1));
    let style = if dashboard.validity.valid { Style::new() } else { theme.bad() };
    let mut lag = vec![Span::raw(lag_now.unwrap_or_else(|| "–".to_owned()))];
    lag.extend(times(&generator.lag, style));
    lag.push(Span::styled(figures::milliseconds(limit), theme.dim()));
    let gauge = |total: Option<crate::metrics::GaugeTotal>| {
        let Some(total) = total else { return Vec::new() };
        let blank = || Span::raw("");
        vec![raw(total.value), blank(), blank(), blank(), raw(total.max)]
    };
    let dropped = if generator.dropped > 0 { theme.bad() } else { theme.good() };
    let mut rows = vec![
        (Span::raw("send lag"), lag),
        (Span::raw("users busy"), gauge(generator.vus)),
        (Span::raw("users there"), gauge(generator.vus_max)),
        (Span::raw("iterations/s"), vec![raw(generator.iterations_per_second.round())]),
        (Span::raw("iterations"), vec![count(generator.iterations)]),
        (Span::raw("dropped"), vec![count(generator.dropped).style(dropped)]),
    ];
    let own = dashboard.processes.iter().filter(|process| process.name.starts_with(LOAD));
    rows.extend(own.map(|process| costs(process, scene)));
    rows
}

/// CPU, and descriptors of how many there may be.
#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
fn costs<'a>(process: &'a ProcessUsage, scene: Scene<'_>) -> (Span<'a>, Vec<Span<'a>>) {
    let limit = match scene.dashboard.run.descriptor_limit {
        0 => String::new(),
        limit => figures::count(limit as f64),
    };
    let cells = vec![
        Span::raw(format!("{:.0}% CPU", process.cpu_percent)),
        Span::raw(figures::bytes(process.pss_bytes as f64)),
        Span::raw(""),
        Span::raw("fds"),
        Span::raw(figures::count(process.fds as f64)),
        Span::styled(limit, scene.theme.dim()),
    ];
    (Span::raw(process.name.as_str()), cells)
}

fn send_lag(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let generator = &scene.state.generator;
    let lines = [&generator.lag_p50, &generator.lag_p99, &generator.lag_max];
    latency::draw_lines(frame, area, scene, "send lag", ["p50", "p99", "max"], lines);
}

fn users(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let generator = &state.generator;
    let mut title = Vec::new();
    if let (Some(busy), Some(there)) = (generator.vus, generator.vus_max) {
        let busy = format!("{} busy", figures::count(busy.value));
        title.push(Span::styled(busy, theme.accent()));
        let there = format!(" of {}", figures::count(there.value));
        title.push(Span::styled(there, theme.dim()));
    }
    let all = generator.busy.iter().chain(&generator.allocated);
    let highest = all.map(|point| point.1).fold(0.0, f64::max);
    let curves = [
        Curve { points: &generator.allocated, color: theme.plot(theme.dim()), marker: Marker::Dot },
        Curve {
            points: &generator.busy,
            color: theme.plot(theme.accent()),
            marker: Marker::Braille,
        },
    ];
    let y = chart::linear(highest, figures::count);
    let block = theme.panel("users", title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}
