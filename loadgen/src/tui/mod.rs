//! The live terminal dashboard, and the one line for where there is no terminal.
//!
//! `state` computes what is to be seen, `view` draws it, a file per panel; `terminal` owns the
//! screen and the keys.

mod dashboard;
mod line;
mod state;
mod terminal;
mod theme;
mod view;

pub use dashboard::{Action, Dashboard, RunInfo};
pub use line::line;
pub use terminal::run;

/// Draws one still frame, with or without colours.
pub fn draw(frame: &mut ratatui::Frame<'_>, dashboard: &Dashboard, color: bool) {
    let state = state::State::of(dashboard);
    view::draw(frame, dashboard, &state, view::Overlay::default(), theme::Theme { color });
}
