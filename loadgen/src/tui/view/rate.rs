//! Target against achieved rate.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::text::Span;

use super::Scene;
use super::chart::{self, Curve};
use crate::report::figures;

/// A rate below this share of its target stands out.
const BEHIND: f64 = 0.95;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let rate = &state.rate;
    let mut title = Vec::new();
    if let Some(now) = rate.now {
        let is_behind = rate.target_now.is_some_and(|target| now < target * BEHIND);
        let style = if is_behind { theme.warn() } else { theme.accent() };
        title.push(Span::styled(format!("{}/s", figures::count(now.round())), style));
    }
    if let Some(target) = rate.target_now {
        let of = if rate.now.is_some() { " of" } else { "target" };
        title.push(Span::styled(format!("{of} {}/s", figures::count(target)), theme.dim()));
    }
    let highest = rate.achieved.iter().chain(&rate.target).map(|point| point.1).fold(0.0, f64::max);
    let curves = [
        Curve { points: &rate.target, color: theme.plot(theme.dim()), marker: Marker::Dot },
        Curve {
            points: &rate.achieved,
            color: theme.plot(theme.accent()),
            marker: Marker::Braille,
        },
    ];
    let y = chart::linear(highest, figures::count);
    let block = theme.panel("rate", title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}
