//! The help, over everything else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::Scene;
use crate::tui::keys::KEYS;

const TEXT: &[&str] = &[
    "",
    "OK          the generator keeps its plan",
    "LAGGING     its send lag comes near the limit",
    "INVALID     the generator was too slow: its numbers",
    "            say nothing about the shop",
    "",
    "✓ holds  · no data yet, or still growing  ✗ crossed",
    "Response time counts from the intended start.",
    "Pipeline bars begin where the stages before end.",
    "In a pause the plan's time stands still.",
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let keys = KEYS.iter().map(|(key, does)| format!("{key:11} {does}"));
    let text: Vec<String> = keys.chain(TEXT.iter().map(|line| (*line).to_owned())).collect();
    let width = text.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4;
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(text.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let popup = area.centered(Constraint::Length(width), Constraint::Length(height));
    let lines: Vec<Line<'_>> = text.iter().map(|line| Line::raw(format!(" {line}"))).collect();
    frame.render_widget(Clear, popup);
    frame.render_widget(Paragraph::new(lines).block(scene.theme.panel("help", Vec::new())), popup);
}
