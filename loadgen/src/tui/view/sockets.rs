//! WebSockets open over time.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::text::Span;

use super::Scene;
use super::chart::{self, Curve};
use crate::report::figures;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { state, theme, .. } = scene;
    let sockets = &state.sockets;
    let mut title = Vec::new();
    if let Some(now) = sockets.now {
        title.push(Span::styled(format!("{} open", figures::count(now)), theme.accent()));
        if area.width >= 36 {
            let peak = format!(" · peak {}", figures::count(sockets.peak));
            title.push(Span::styled(peak, theme.dim()));
        }
    }
    let color = theme.plot(theme.accent());
    let curves = [Curve { points: &sockets.open, color, marker: Marker::Braille }];
    let y = chart::linear(sockets.peak, figures::count);
    let block = theme.panel("sockets", title);
    chart::draw(frame, area, block, &curves, state.horizon_s, y, theme.dim());
}
