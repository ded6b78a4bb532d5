//! Replay (specification §9.3): reads the log again from the last checkpoint, without a group, drops what
//! was applied, folds into a shadow state and compares it with the live one, order by order, at equal
//! offsets. It publishes nothing and commits nothing.
//!
//! | module | what it holds |
//! |---|---|
//! | [`subject`] | what a service hands out to be checked, and what it takes back |
//! | [`compare`] | two states at the same offsets; pure |
//! | [`pace`] | so many events a second; pure |
//! | [`run`] | one replay from its start to its findings |
//! | [`http`] | `POST /replay` and `GET /replay` on the management port |

mod compare;
pub(crate) mod http;
mod pace;
mod run;
mod subject;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use contract::replay::{
    LagReport, ReplayReport, ReplayRequest, ReplayState, ReplayStatus, ReplayTrigger, StartReport,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

pub(crate) use self::subject::{Mailbox, Replacement, Request, Subject};
use crate::kit::clock::Clock;
use crate::kit::health::Health;
use crate::kit::metrics;
use crate::kit::snapshot::{Finder, Start};

/// How long a service may take to hand out its state: it does so between two records.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a replay is made without being asked for.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ReplayArgs {
    /// Records behind the log from which on the service's lag is reported, and its state checked by a
    /// replay; 0 for no limit.
    #[arg(long, env = "LAG_LIMIT", default_value_t = DEFAULT_LAG_LIMIT)]
    pub lag_limit: u64,
}

/// Ten seconds of 1,000 orders a second.
const DEFAULT_LAG_LIMIT: u64 = 10_000;

/// Why no replay began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One is running.
    Busy,
    /// The service does not know its state yet.
    NotReady,
    /// The state is kept in tables: there is no fold of the log in memory to compare with another.
    InTables,
}

/// Where a service keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptIn {
    Memory,
    Tables,
}

/// The replays of one process, one at a time.
pub(crate) struct Replays {
    service: &'static str,
    kept_in: KeptIn,
    clock: Clock,
    health: Arc<Health>,
    requests: mpsc::Sender<Request>,
    finder: OnceLock<Finder>,
    known: Mutex<ReplayStatus>,
}

impl Replays {
    /// The service reads `Mailbox` between two records.
    pub(crate) fn new(
        service: &'static str,
        kept_in: KeptIn,
        clock: Clock,
        health: Arc<Health>,
        args: ReplayArgs,
    ) -> (Arc<Self>, Mailbox) {
        let (requests, mailbox) = mpsc::channel(1);
        let lag = LagReport { limit: args.lag_limit, ..LagReport::default() };
        let known = Mutex::new(ReplayStatus { replay: None, start: None, lag });
        let finder = OnceLock::new();
        (Arc::new(Self { service, kept_in, clock, health, requests, finder, known }), mailbox)
    }

    /// The log has been reached.
    pub(crate) fn open(&self, finder: Finder) {
        self.finder.get_or_init(|| finder);
    }

    fn known(&self) -> MutexGuard<'_, ReplayStatus> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> ReplayStatus {
        self.known().clone()
    }

    /// The service has begun with `start`, and folded so many records until it was ready. Without a usable
    /// snapshot that was a replay of the whole log.
    pub(crate) fn started(&self, start: &Start, records: u64) {
        let ready_after = self.clock.monotonic();
        let without = start.without > 0 && records > 0;
        info!(
            service = self.service,
            orders = start.orders,
            records,
            without_snapshot = start.without,
            ?ready_after,
            "the state is complete"
        );
        if without {
            let labels = [("trigger", "no_snapshot"), ("outcome", "consistent")];
            metrics::REPLAYS.add_to(&labels, 1);
            metrics::REPLAY_EVENTS.add_to(&[], records);
        }
        self.known().start = Some(StartReport {
            orders_restored: start.orders,
            without_snapshot: start.without,
            refused: start.refused.clone(),
            records_folded: records,
            ready_after_ms: u64::try_from(ready_after.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// The service is so many records behind the log. Beyond the limit that is told, and the state is checked
    /// once.
    pub(crate) fn observe_lag(self: &Arc<Self>, records: u64) {
        let mut known = self.known();
        let LagReport { limit, exceeded: before, .. } = known.lag;
        let exceeded = limit > 0 && records > limit;
        known.lag = LagReport { records, limit, exceeded };
        drop(known);
        self.health.set_lag(exceeded.then_some(records));
        if exceeded && !before {
            warn!(service = self.service, records, limit, "too far behind the log");
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let begun = this.begin(ReplayRequest::default(), ReplayTrigger::Lag).await;
                if let Err(refusal) = begun {
                    info!(?refusal, "no replay because of the lag");
                }
            });
        } else if before && !exceeded {
            info!(service = self.service, records, limit, "no longer too far behind the log");
        }
    }

    /// Begins a replay in the background.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn begin(
        self: &Arc<Self>,
        request: ReplayRequest,
        trigger: ReplayTrigger,
    ) -> Result<ReplayReport, Refusal> {
        if self.kept_in == KeptIn::Tables {
            return Err(Refusal::InTables);
        }
        let finder = self.finder.get().ok_or(Refusal::NotReady)?.clone();
        let report = self.announce(request, trigger)?;
        let subject = self.ask(Request::Export).await.flatten();
        let Some(subject) = subject else {
            self.known().replay = None;
            return Err(Refusal::NotReady);
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = run::run(&this, &finder, subject).await;
            this.finish(outcome);
        });
        Ok(report)
    }

    /// Takes the place of the one replay there can be.
    fn announce(
        &self,
        request: ReplayRequest,
        trigger: ReplayTrigger,
    ) -> Result<ReplayReport, Refusal> {
        let mut known = self.known();
        if known.replay.as_ref().is_some_and(|replay| replay.state == ReplayState::Running) {
            return Err(Refusal::Busy);
        }
        let report = ReplayReport {
            service: self.service.to_owned(),
            trigger,
            state: ReplayState::Running,
            request,
            started_at: self.clock.now(),
            finished_at: None,
            checkpoint: None,
            total: 0,
            read: 0,
            applied: 0,
            dropped: 0,
            outside_window: 0,
            rate: 0.0,
            orders_compared: 0,
            differences: 0,
            examples: Vec::new(),
            error: None,
        };
        known.replay = Some(report.clone());
        Ok(report)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.requests.send(request(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
    }

    /// Changes the report of the replay under way.
    fn report(&self, change: impl FnOnce(&mut ReplayReport)) {
        if let Some(replay) = self.known().replay.as_mut() {
            change(replay);
        }
    }

    fn finish(&self, outcome: anyhow::Result<ReplayState>) {
        let now = self.clock.now();
        self.report(|replay| {
            replay.finished_at = Some(now);
            match outcome {
                Ok(state) => replay.state = state,
                Err(error) => {
                    replay.state = ReplayState::Failed;
                    replay.error = Some(format!("{error:#}"));
                }
            }
        });
        let Some(replay) = self.status().replay else { return };
        let trigger = match replay.trigger {
            ReplayTrigger::Manual => "manual",
            ReplayTrigger::NoSnapshot => "no_snapshot",
            ReplayTrigger::Lag => "lag",
        };
        let outcome = match replay.state {
            ReplayState::Consistent => "consistent",
            ReplayState::Differs => "differs",
            ReplayState::Mended => "mended",
            ReplayState::Running | ReplayState::Failed => "failed",
        };
        metrics::REPLAYS.add_to(&[("trigger", trigger), ("outcome", outcome)], 1);
        if replay.state != ReplayState::Failed {
            metrics::STATE_CONSISTENT.set(f64::from(replay.state != ReplayState::Differs));
        }
        match replay.state {
            ReplayState::Failed | ReplayState::Differs => {
                error!(service = self.service, ?replay, "replay");
            }
            _ => info!(service = self.service, ?replay, "replay"),
        }
    }
}
