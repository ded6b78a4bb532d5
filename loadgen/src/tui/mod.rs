//! The live terminal dashboard, and the one line for where there is no terminal.
//!
//! `state` computes what is to be seen, `view` draws it, a file per panel; `terminal` owns the
//! screen and the keys.

mod dashboard;
mod history;
mod keys;
mod line;
mod page;
mod state;
mod terminal;
mod theme;
mod view;

pub use dashboard::{Action, Dashboard, RunInfo};
pub use line::line;
pub use page::Page;
pub use terminal::run;

/// Draws one still frame, with or without colours.
pub fn draw(frame: &mut ratatui::Frame<'_>, dashboard: &Dashboard, color: bool) {
    draw_page(frame, Page::Overview, std::slice::from_ref(dashboard), color);
}

/// Draws one still frame of a page: the last of `dashboards`, with what went before it.
pub fn draw_page(
    frame: &mut ratatui::Frame<'_>,
    page: Page,
    dashboards: &[Dashboard],
    color: bool,
) {
    let mut history = history::History::default();
    dashboards.iter().for_each(|dashboard| history.add(dashboard));
    let Some(dashboard) = dashboards.last() else { return };
    let state = state::State::of(dashboard, &history);
    let overlay = view::Overlay { page, ..view::Overlay::default() };
    view::draw(frame, dashboard, &state, overlay, theme::Theme { color });
}
