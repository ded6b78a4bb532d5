//! The first lines (what runs, how it is, how far it has come, and the pages) and the last one (keys).

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::Scene;
use crate::course::Percent;
use crate::report::figures;
use crate::tui::Action;
use crate::tui::page::Page;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    // Where there are only two lines, the pages have none.
    let [first, second, third] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1)])
            .areas(area);
    let badge = Span::styled(
        format!(" {} ", scene.state.health.label()),
        scene.theme.badge(scene.state.health),
    );
    let badge_width = u16::try_from(badge.width()).unwrap_or(u16::MAX);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(badge_width + 1)]).areas(first);
    frame.render_widget(title(scene, left.width), left);
    frame.render_widget(Line::from(badge), right);
    frame.render_widget(progress(scene, second.width), second);
    frame.render_widget(pages(scene, third.width), third);
}

/// From this width on, every page is named.
const NAMED: u16 = 79;

/// The pages by their keys, the open one highlighted.
fn pages(scene: Scene<'_>, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let mut spans = Vec::new();
    for (key, page) in Page::ALL.into_iter().enumerate() {
        if page == scene.overlay.page {
            spans.push(Span::styled(format!(" {key} {} ", page.title()), theme.open_page()));
        } else {
            spans.push(Span::styled(format!(" {key} "), theme.strong()));
            if width >= NAMED {
                spans.push(Span::styled(format!("{} ", page.title()), theme.dim()));
            }
        }
    }
    Line::from(spans)
}

/// What runs, then the figures that matter most, as many as there is room for.
fn title(scene: Scene<'_>, width: u16) -> Line<'static> {
    let Scene { dashboard, state, theme, .. } = scene;
    let run = &dashboard.run;
    let mut spans = vec![
        Span::styled(" DOORBUSTER ", theme.accent().patch(theme.strong())),
        Span::styled(run.scenario.clone(), theme.strong()),
        Span::raw(format!(" › {} ", run.phase)),
        Span::styled(format!("{}/{}", run.phase_index, run.phases), theme.dim()),
    ];
    let mut figures = Vec::new();
    if run.rate != Percent::PLAN {
        figures.push(Span::styled(format!("{} of the plan", run.rate), theme.warn()));
    }
    if let Some(rate) = state.rate.now {
        figures.push(Span::raw(format!("{}/s", figures::count(rate.round()))));
    }
    if let Some(open) = state.sockets.now.filter(|open| *open > 0.0) {
        figures.push(Span::raw(format!("{} sockets", figures::count(open))));
    }
    let errors = format!("{} errors", figures::count(state.error_count_f64()));
    let style = if state.error_count > 0 { theme.bad() } else { theme.dim() };
    figures.push(Span::styled(errors, style));
    let lag = dashboard.validity.send_lag_p99.as_secs_f64() * 1000.0;
    let lag = format!("send lag p99 {}", figures::milliseconds(lag));
    figures.push(Span::styled(lag, theme.dim()));
    for (index, figure) in figures.into_iter().enumerate() {
        let gap = if index == 0 { "   " } else { " · " };
        let used: usize = spans.iter().map(Span::width).sum();
        if used + gap.len() + figure.width() > usize::from(width) {
            break;
        }
        spans.push(Span::styled(gap, theme.dim()));
        spans.push(figure);
    }
    Line::from(spans)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the bar's width is within the bar"
)]
fn progress(scene: Scene<'_>, width: u16) -> Line<'static> {
    let Scene { dashboard, theme, .. } = scene;
    let run = &dashboard.run;
    let mut text = format!(
        " {} / {}",
        figures::duration(std::time::Duration::from_secs(run.elapsed.as_secs())),
        figures::duration(run.total)
    );
    if !run.activity.is_empty() {
        text.push_str(" · ");
        text.push_str(&run.activity);
    }
    text.push(' ');
    let paused = if run.is_paused { " PAUSED " } else { "" };
    let taken = text.chars().count() + paused.len() + 1;
    let bar = usize::from(width).saturating_sub(taken);
    let total = run.total.as_secs_f64();
    let share = if total > 0.0 { (run.elapsed.as_secs_f64() / total).clamp(0.0, 1.0) } else { 0.0 };
    let done = (share * f64::from(u16::try_from(bar).unwrap_or(u16::MAX))).round() as usize;
    Line::from(vec![
        Span::raw(" "),
        Span::styled("━".repeat(done), theme.accent()),
        Span::styled("─".repeat(bar - done), theme.dim()),
        Span::raw(text),
        Span::styled(paused, theme.warn().patch(theme.strong())),
    ])
}

/// The keys, or what has been asked for; beside it the latest notice where no panel shows it.
pub(super) fn foot(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, theme, .. } = scene;
    let mut spans = match scene.overlay.stopping {
        None => {
            let pause = if dashboard.run.is_paused { " go on " } else { " pause " };
            [
                (" p", pause),
                (" +−", " rate "),
                (" s", " snapshot "),
                (" q", " stop "),
                (" ?", " help"),
            ]
            .into_iter()
            .flat_map(|(key, does)| {
                [Span::styled(key, theme.strong()), Span::styled(does, theme.dim())]
            })
            .collect()
        }
        Some(Action::Kill) => vec![Span::styled(" killing the load", theme.bad())],
        Some(_) => vec![
            Span::styled(" stopping: iterations finish  ", theme.warn()),
            Span::styled("q", theme.strong()),
            Span::styled(" kill", theme.dim()),
        ],
    };
    let shows_notices = area.width >= super::FULL.0 && scene.overlay.page == Page::Overview;
    if !shows_notices && let Some(notice) = dashboard.notices.last() {
        spans.push(Span::styled("  │ ", theme.dim()));
        spans.push(Span::raw(notice.clone()));
    }
    frame.render_widget(Line::from(spans), area);
}
