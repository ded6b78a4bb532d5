//! The first two lines (what runs, how it is, how far it has come) and the last one (keys).

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::Scene;
use crate::report::figures;
use crate::tui::Action;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
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
    let bar = usize::from(width).saturating_sub(text.chars().count() + 1);
    let total = run.total.as_secs_f64();
    let share = if total > 0.0 { (run.elapsed.as_secs_f64() / total).clamp(0.0, 1.0) } else { 0.0 };
    let done = (share * f64::from(u16::try_from(bar).unwrap_or(u16::MAX))).round() as usize;
    Line::from(vec![
        Span::raw(" "),
        Span::styled("━".repeat(done), theme.accent()),
        Span::styled("─".repeat(bar - done), theme.dim()),
        Span::raw(text),
    ])
}

/// The keys, or what has been asked for; beside it the latest notice where no panel shows it.
pub(super) fn foot(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, theme, .. } = scene;
    let mut spans = match scene.overlay.stopping {
        None => vec![
            Span::styled(" q", theme.strong()),
            Span::styled(" stop  ", theme.dim()),
            Span::styled("?", theme.strong()),
            Span::styled(" help", theme.dim()),
        ],
        Some(Action::Stop) => vec![
            Span::styled(" stopping: iterations finish  ", theme.warn()),
            Span::styled("q", theme.strong()),
            Span::styled(" kill", theme.dim()),
        ],
        Some(Action::Kill) => vec![Span::styled(" killing the load", theme.bad())],
    };
    if area.width < super::FULL.0
        && let Some(notice) = dashboard.notices.last()
    {
        spans.push(Span::styled("  │ ", theme.dim()));
        spans.push(Span::raw(notice.clone()));
    }
    frame.render_widget(Line::from(spans), area);
}
