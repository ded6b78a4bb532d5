//! The screen and the keys: drawing when something changed, restoring the terminal however it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event};
use ratatui::DefaultTerminal;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::history::History;
use super::keys::handle;
use super::state::State;
use super::theme::Theme;
use super::view::{self, Overlay};
use super::{Action, Dashboard};

/// Five frames a second at most: the machine that draws is the machine that is loaded.
const FRAME: Duration = Duration::from_millis(200);
/// How often the keys' thread looks whether the dashboard has gone.
const KEY_POLL: Duration = Duration::from_millis(200);
/// Keys that wait to be handled; nobody types faster.
const KEY_QUEUE: usize = 16;

/// Shows the dashboard until `updates` is closed, and sends what the person asks for. The terminal
/// is restored when this returns, is dropped, or anything panics.
///
/// # Errors
/// When standard output is no terminal that can be drawn on.
pub async fn run(
    mut updates: watch::Receiver<Arc<Dashboard>>,
    actions: mpsc::Sender<Action>,
) -> io::Result<()> {
    let mut screen = Screen::enter()?;
    let mut keys = Keys::listen();
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let theme = Theme::from_environment();
    let mut overlay = Overlay::default();
    let mut shown = Shown::new(updates.borrow_and_update().clone());
    let mut is_stale = true;
    loop {
        tokio::select! {
            biased;
            Some(event) = keys.events.recv() => {
                is_stale = true;
                if let Some(action) = handle(&event, &mut overlay) {
                    // A harness that has stopped listening is ending anyway.
                    let _ = actions.try_send(action);
                }
            }
            changed = updates.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                shown.update(updates.borrow_and_update().clone());
                is_stale = true;
            }
            _ = frames.tick() => {
                if std::mem::take(&mut is_stale) {
                    screen.0.draw(|frame| {
                        view::draw(frame, &shown.dashboard, &shown.state, overlay, theme);
                    })?;
                }
            }
        }
    }
}

/// The dashboard with its state, which is computed again only when something changed.
struct Shown {
    dashboard: Arc<Dashboard>,
    history: History,
    state: State,
}

impl Shown {
    fn new(dashboard: Arc<Dashboard>) -> Self {
        let mut history = History::default();
        history.add(&dashboard);
        let state = State::of(&dashboard, &history);
        Self { dashboard, history, state }
    }

    fn update(&mut self, dashboard: Arc<Dashboard>) {
        self.history.add(&dashboard);
        self.state = State::of(&dashboard, &self.history);
        self.dashboard = dashboard;
    }
}

/// The terminal in raw mode on its alternate screen. Dropping it restores what was before; a panic
/// anywhere restores it first, so that its message can be read.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The keyboard, read by a thread because reading it blocks.
struct Keys {
    events: mpsc::Receiver<Event>,
    is_over: Arc<AtomicBool>,
}

impl Keys {
    fn listen() -> Self {
        let (sender, events) = mpsc::channel(KEY_QUEUE);
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        std::thread::spawn(move || forward_keys(&sender, &watched));
        Self { events, is_over }
    }
}

/// Ends when the dashboard has gone or the terminal cannot be read.
fn forward_keys(sender: &mpsc::Sender<Event>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        match event::poll(KEY_POLL) {
            Ok(false) => {}
            Ok(true) => {
                let Ok(event) = event::read() else { return };
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
