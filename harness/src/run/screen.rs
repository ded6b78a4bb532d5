//! What the person in front sees while a run goes on: the dashboard, or one line a second.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use loadgen::course::Percent;
use loadgen::metrics::LoadState;
use loadgen::preflight::Limits;
use loadgen::report::{ProcessUsage, Validity};
use loadgen::threshold::ThresholdVerdict;
use loadgen::tui::{self, Action, Dashboard, RunInfo};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::say;

/// Notices that the dashboard shows at most.
const KEPT_NOTICES: usize = 200;
/// Keys that may wait to be heard.
const WAITING_ACTIONS: usize = 8;

/// Everything shown, as of now, and where it is shown.
pub struct Screen {
    pub info: RunInfo,
    pub load: Arc<LoadState>,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
    pub processes: Vec<ProcessUsage>,
    notices: VecDeque<String>,
    face: Face,
    actions: mpsc::Receiver<Action>,
    /// Held, so that `actions` never ends where there is no dashboard.
    _no_keys: mpsc::Sender<Action>,
    interrupted: bool,
}

enum Face {
    Dashboard {
        updates: watch::Sender<Arc<Dashboard>>,
        drawing: JoinHandle<std::io::Result<()>>,
    },
    /// On a terminal the line is drawn over; elsewhere each is a line of its own.
    Lines {
        overwrite: bool,
    },
    /// Nothing while it runs.
    Quiet,
}

/// What the command line says of the screen.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub no_tui: bool,
    pub quiet: bool,
}

impl Screen {
    /// The dashboard where standard output is a terminal, unless it is not wanted.
    #[must_use]
    pub fn open(wanted: Wanted, scenario: &str, phases: usize) -> Self {
        let (keys, actions) = mpsc::channel(WAITING_ACTIONS);
        let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        // Where the system does not say it, nothing is shown.
        let limits = Limits::of_this_machine(1).ok();
        let descriptor_limit = limits.map_or(0, |limits| limits.descriptors);
        let info =
            RunInfo { scenario: scenario.into(), phases, descriptor_limit, ..RunInfo::default() };
        let mut screen = Self {
            info,
            load: Arc::default(),
            thresholds: Vec::new(),
            validity: not_measured(),
            processes: Vec::new(),
            notices: VecDeque::new(),
            face: Face::Lines { overwrite: std::io::stderr().is_terminal() },
            actions,
            _no_keys: keys.clone(),
            interrupted: false,
        };
        if wanted.quiet {
            screen.face = Face::Quiet;
        } else if terminal && !wanted.no_tui {
            let (updates, seen) = watch::channel(Arc::new(screen.dashboard()));
            let drawing = tokio::spawn(tui::run(seen, keys));
            screen.face = Face::Dashboard { updates, drawing };
        }
        screen
    }

    /// Whether there is a dashboard with somebody at its keys.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        matches!(self.face, Face::Dashboard { .. })
    }

    /// Forgets the last phase's numbers.
    pub fn begin_phase(&mut self, name: &str, index: usize, total: Duration) {
        self.info.phase = name.into();
        self.info.phase_index = index + 1;
        self.info.elapsed = Duration::ZERO;
        self.info.is_paused = false;
        self.info.rate = Percent::PLAN;
        self.info.target_rate.clear();
        self.info.total = total;
        self.load = Arc::default();
        self.thresholds.clear();
        self.validity = not_measured();
        self.processes.clear();
    }

    /// What the phase is doing, where that is worth a line of its own.
    pub fn activity(&mut self, activity: &str) {
        if self.info.activity != activity {
            self.info.activity = activity.into();
            self.show();
        }
    }

    /// Something that happened.
    pub fn notice(&mut self, notice: String) {
        if let Face::Lines { overwrite } = self.face {
            let clear = if overwrite { "\r\x1b[K" } else { "" };
            say::aside(format_args!("{clear}{notice}\n"));
        }
        self.notices.push_back(notice);
        if self.notices.len() > KEPT_NOTICES {
            self.notices.pop_front();
        }
    }

    /// Shows the present state.
    pub fn show(&mut self) {
        let dashboard = self.dashboard();
        match &self.face {
            Face::Dashboard { updates, .. } => drop(updates.send_replace(Arc::new(dashboard))),
            Face::Lines { overwrite: true } => {
                say::aside(format_args!("\r{}\x1b[K", tui::line(&dashboard)));
            }
            Face::Lines { overwrite: false } => {
                say::aside(format_args!("{}\n", tui::line(&dashboard)));
            }
            Face::Quiet => {}
        }
    }

    /// The next key that asks for something. May be dropped and called again.
    pub async fn action(&mut self) -> Action {
        match self.actions.recv().await {
            Some(action) => action,
            None => std::future::pending().await,
        }
    }

    /// Somebody asked for the end, by key or by signal.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    #[must_use]
    pub const fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Gives the terminal back.
    pub async fn close(self) {
        match self.face {
            Face::Dashboard { updates, drawing } => {
                drop(updates);
                // It restores the terminal itself, also when it fails.
                let _ = drawing.await;
            }
            Face::Lines { overwrite: true } => say::aside("\n"),
            Face::Lines { overwrite: false } | Face::Quiet => {}
        }
    }

    fn dashboard(&self) -> Dashboard {
        Dashboard {
            run: self.info.clone(),
            load: Arc::clone(&self.load),
            thresholds: self.thresholds.clone(),
            validity: self.validity.clone(),
            processes: self.processes.clone(),
            notices: self.notices.iter().cloned().collect(),
        }
    }
}

/// Before the first sample nothing speaks against the generator.
fn not_measured() -> Validity {
    Validity { valid: true, send_lag_p99: Duration::ZERO, limit: Duration::ZERO, reason: None }
}
