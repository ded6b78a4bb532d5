//! Requests by name, the distribution of their times, and what came back.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{charts_and_figures, count, halves, panel, times};
use crate::report::figures;
use crate::tui::state::{Bucket, Request};
use crate::tui::view::table::{Column, Figures};
use crate::tui::view::{Scene, responses};

const COLUMNS: &[Column] = &[
    Column::figure("p95", 8),
    Column::figure("/s", 8),
    Column::figure("p50", 8),
    Column::figure("p99", 8),
    Column::figure("failed", 8),
    Column::figure("longest", 8),
    Column::figure("requests", 10),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let (charts, table) = charts_and_figures(area, state.requests.len() + 3);
    if let Some(charts) = charts {
        let [left, right] = halves(charts);
        histogram(frame, left, scene);
        if right.width > 0 {
            responses::draw(frame, right, scene);
        }
    }
    let rows = state.requests.iter().map(|request| row(request, scene)).collect();
    let figures = Figures { name: "request", columns: COLUMNS, rows };
    figures.draw(
        frame,
        table,
        panel(scene, table, charts.is_some(), "requests", Vec::new()),
        theme.dim(),
    );
}

fn row<'a>(request: &'a Request, scene: Scene<'_>) -> (Span<'a>, Vec<Span<'a>>) {
    let theme = scene.theme;
    let [p50, p95, p99, longest] =
        times(&request.times, Style::new()).try_into().unwrap_or_default();
    let failed = request.failed;
    let failures = if failed.passes == 0 {
        Span::styled("none", theme.good())
    } else {
        Span::styled(figures::percent(failed.share()), theme.bad())
    };
    let per_second = Span::raw(figures::count(request.per_second.round()));
    let cells = vec![
        p95.style(theme.strong()),
        per_second,
        p50,
        p99,
        failures,
        longest,
        count(request.count),
    ];
    (Span::raw(request.name.as_str()), cells)
}

/// Bars from the shortest times down to the longest.
fn histogram(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let block = theme.panel("response times", vec![Span::styled("from, how many", theme.dim())]);
    let inner = block.inner(area);
    let room = usize::from(inner.height);
    let merged = merge(&state.histogram, room);
    let most = merged.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let width = usize::from(inner.width).saturating_sub(9 + 10 + 2);
    if merged.is_empty() {
        let waiting = Line::styled(" no request has ended yet", theme.dim());
        return frame.render_widget(Paragraph::new(waiting).block(block), area);
    }
    let lines: Vec<Line<'_>> = merged
        .into_iter()
        .map(|(label, count)| {
            Line::from(vec![
                Span::styled(format!("{label:>8} "), theme.dim()),
                Span::styled(bar(count, most, width), theme.accent()),
                Span::raw(format!(" {:>9}", shown(count))),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// Where there is no room for all, the longest times share the last line.
fn merge(buckets: &[Bucket], room: usize) -> Vec<(String, u64)> {
    let mut lines: Vec<(String, u64)> =
        buckets.iter().take(room).map(|bucket| (bucket.label(), bucket.count)).collect();
    let rest: u64 = buckets.iter().skip(room).map(|bucket| bucket.count).sum();
    if let Some((label, count)) = lines.last_mut().filter(|_| rest > 0) {
        label.insert(0, '≥');
        *count += rest;
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn shown(count: u64) -> String {
    figures::count(count as f64)
}

/// What there is, however rare, has a mark.
fn bar(count: u64, most: u64, width: usize) -> String {
    let cells = u128::from(count) * width as u128 / u128::from(most.max(1));
    let cells = usize::try_from(cells).unwrap_or(width).min(width);
    let mark = if count == 0 {
        String::new()
    } else if cells == 0 {
        "▏".to_owned()
    } else {
        "█".repeat(cells)
    };
    format!("{mark:<width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_shares_of_the_longest_and_nothing_vanishes() {
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██  ");
        assert_eq!(bar(1, 1000, 4), "▏   ");
        assert_eq!(bar(0, 1000, 4), "    ");
    }

    #[test]
    fn what_has_no_line_is_in_the_last_one() {
        let buckets: Vec<_> =
            (1..=4_u32).map(|ms| Bucket { from_ms: f64::from(ms), count: 2 }).collect();
        let merged = merge(&buckets, 2);
        assert_eq!(merged, [("1 ms".to_owned(), 2), ("≥2 ms".to_owned(), 6)]);
        assert_eq!(merge(&buckets, 9).len(), 4);
        assert_eq!(merge(&[], 2), []);
    }
}
