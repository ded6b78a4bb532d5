//! Drawing: the layout here, a file per panel beside it.

mod chart;
mod header;
mod help;
mod latency;
mod notices;
mod pages;
mod pipeline;
mod processes;
mod rate;
mod responses;
mod sockets;
mod table;
mod thresholds;
mod tiny;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::page::Page;
use super::state::State;
use super::theme::Theme;
use super::{Action, Dashboard};

/// From this size on, every panel has its place.
const FULL: (u16, u16) = (100, 32);
/// From this size on, the panels that matter most have one; below, there is only text.
const COMPACT: (u16, u16) = (66, 18);
/// The pipeline's frame and five stages, and a chart of sockets beside it.
const MIDDLE: u16 = 7;
/// Below this height the small panels are left to the pages.
const SHORT: u16 = 19;
/// The lists at the bottom: a frame and four lines.
const BOTTOM: u16 = 6;
/// Frame, table head and the row of totals of the processes.
const PROCESS_FRAME: u16 = 4;

/// Which page is shown, what lies over it, and how far the person has gone in stopping.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overlay {
    pub help: bool,
    pub page: Page,
    pub stopping: Option<Action>,
}

impl Overlay {
    /// Asked to stop: gracefully first, at once the second time.
    pub(super) fn stop(&mut self) -> Option<Action> {
        self.stopping = match self.stopping {
            None => Some(Action::Stop),
            Some(_) => Some(Action::Kill),
        };
        self.stopping
    }
}

/// Everything that a panel may look at.
#[derive(Clone, Copy)]
struct Scene<'a> {
    dashboard: &'a Dashboard,
    state: &'a State,
    overlay: Overlay,
    theme: Theme,
}

/// Draws one frame.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    dashboard: &Dashboard,
    state: &State,
    overlay: Overlay,
    theme: Theme,
) {
    let scene = Scene { dashboard, state, overlay, theme };
    let area = frame.area();
    let fits = |size: (u16, u16)| area.width >= size.0 && area.height >= size.1;
    if fits(COMPACT) {
        let [top, body, foot] =
            Layout::vertical([Constraint::Length(3), Constraint::Fill(1), Constraint::Length(1)])
                .areas(area);
        header::draw(frame, top, scene);
        match overlay.page {
            Page::Overview if fits(FULL) => full(frame, body, scene),
            Page::Overview => compact(frame, body, scene),
            _ => pages::draw(frame, body, scene),
        }
        header::foot(frame, foot, scene);
    } else {
        tiny::draw(frame, area, scene);
    }
    if overlay.help {
        help::draw(frame, area, scene);
    }
}

fn full(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let rows = |count: usize, frame: u16| u16::try_from(count).unwrap_or(u16::MAX) + frame;
    let lists = rows(scene.dashboard.processes.len(), PROCESS_FRAME)
        .max(rows(scene.dashboard.thresholds.len(), 2))
        .clamp(7, area.height * 2 / 5);
    let [charts, middle, tables, bottom] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(rows(scene.state.stages.len(), 2).max(MIDDLE)),
        Constraint::Length(lists),
        Constraint::Length(BOTTOM),
    ])
    .areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(charts);
    rate::draw(frame, left, scene);
    latency::draw(frame, right, scene);
    let [left, right] = halves.areas(middle);
    sockets::draw(frame, left, scene);
    pipeline::draw(frame, right, scene);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(46)]).areas(tables);
    thresholds::draw(frame, left, scene);
    processes::draw(frame, right, scene);
    let [left, right] =
        Layout::horizontal([Constraint::Length(46), Constraint::Fill(1)]).areas(bottom);
    responses::draw(frame, left, scene);
    notices::draw(frame, right, scene);
}

fn compact(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let [charts, middle, tables] = Layout::vertical([
        Constraint::Fill(5),
        Constraint::Length(if area.height < SHORT { 0 } else { MIDDLE }),
        Constraint::Fill(5),
    ])
    .areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, right] = halves.areas(charts);
    rate::draw(frame, left, scene);
    latency::draw(frame, right, scene);
    if middle.height > 0 {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(5), Constraint::Fill(3)]).areas(middle);
        pipeline::draw(frame, left, scene);
        if scene.state.errors.is_empty() {
            sockets::draw(frame, right, scene);
        } else {
            responses::draw(frame, right, scene);
        }
    }
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(33)]).areas(tables);
    thresholds::draw(frame, left, scene);
    processes::draw(frame, right, scene);
}
