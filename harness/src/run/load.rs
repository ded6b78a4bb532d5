//! The load itself: from the first iteration to the last, with everything that goes on beside it.

use std::time::Duration;

use loadgen::conductor::{Conductor, Control, LoadResult, validity};
use loadgen::flow::Flow;
use loadgen::scenario::{Phase, Scenario};
use loadgen::threshold;
use loadgen::tui::Action;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::screen::Screen;
use crate::chaos::{self, Victim};
use crate::rolling::{self, RestartReport};
use crate::settings::ChaosSettings;
use crate::supervise::Shop;
use crate::supervise::signals::Signals;
use crate::usage::Usage;

/// How often the screen is drawn anew.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// Looking at a process with 10,000 sockets costs the kernel milliseconds: every second draw will do.
const DRAWS_PER_SAMPLE: u32 = 2;
/// The metric that counts what an arrival rate means: orders where any are placed, else iterations.
const ORDER_RATE_METRIC: &str = "orders_created";
const ANY_RATE_METRIC: &str = "iterations";

/// What there was beside the load.
pub struct Surroundings<'a> {
    pub shop: Option<&'a Shop>,
    pub chaos: Option<&'a ChaosSettings>,
    pub notices: &'a mpsc::UnboundedSender<String>,
    pub heard: &'a mut mpsc::UnboundedReceiver<String>,
    pub screen: &'a mut Screen,
    pub signals: &'a mut Signals,
}

/// How it went.
pub struct LoadEnd {
    pub result: LoadResult,
    pub took: Duration,
    pub victims: Vec<Victim>,
    pub restarts: Vec<RestartReport>,
    pub usage: Usage,
}

/// Drives the load to its end: planned, or early when somebody asks for it.
///
/// # Errors
/// The load generator failed.
pub async fn drive(
    phase: &Phase,
    conductor: Conductor,
    around: Surroundings<'_>,
) -> anyhow::Result<LoadEnd> {
    let Surroundings { shop, chaos, notices, heard, screen, signals } = around;
    let started = Instant::now();
    let (mut victims, mut restarts) = (Vec::new(), Vec::new());
    let mut watching = Watching {
        loads: conductor.pids(),
        state: conductor.watch(),
        usage: Usage::default(),
        phase,
        shop,
        started,
        draws: 0,
    };
    watching.plan(screen);
    let control = conductor.controller();
    let mut finishing = std::pin::pin!(conductor.finish());
    let result = {
        let wreaking = async {
            if let (Some(shop), Some(chaos)) = (shop, chaos) {
                let kills = chaos::wreak(shop, chaos, started, &mut victims, notices);
                let rolls = async {
                    if let Some(roll) = &chaos.roll {
                        rolling::roll(shop, roll, started, &mut restarts, notices).await;
                    }
                };
                tokio::join!(kills, rolls);
            }
            std::future::pending::<()>().await;
        };
        let mut wreaking = std::pin::pin!(wreaking);
        let mut ticks = interval(SHOW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                result = &mut finishing => break result?,
                () = signals.next() => end_early(screen, &control, None),
                action = screen.action() => end_early(screen, &control, Some(action)),
                Some(notice) = heard.recv() => screen.notice(notice),
                () = &mut wreaking => {}
                _ = ticks.tick() => watching.look(screen),
            }
        }
    };
    watching.look(screen);
    Ok(LoadEnd { result, took: started.elapsed(), victims, restarts, usage: watching.usage })
}

/// The first request lets running iterations finish; a second one does not.
fn end_early(screen: &mut Screen, control: &impl Fn(Control), asked: Option<Action>) {
    let order = match asked {
        Some(Action::Kill) => Control::Kill,
        _ if screen.interrupted() => Control::Kill,
        _ => Control::Stop,
    };
    screen.interrupt();
    screen.notice("stopping: the audit still follows".into());
    control(order);
}

struct Watching<'a> {
    loads: Vec<u32>,
    state: watch::Receiver<std::sync::Arc<loadgen::metrics::LoadState>>,
    usage: Usage,
    phase: &'a Phase,
    shop: Option<&'a Shop>,
    started: Instant,
    draws: u32,
}

impl Watching<'_> {
    /// The planned rate of what is plotted against it.
    fn plan(&self, screen: &mut Screen) {
        let places = |scenario: &&Scenario| {
            matches!(scenario.flow, Flow::PlaceOrder(_) | Flow::WatchOrder(_))
        };
        let any_places = self.phase.scenarios.iter().any(|scenario| places(&scenario));
        let counted = |scenario: &&Scenario| !any_places || places(scenario);
        let rate = |at: Duration| -> f64 {
            let scenarios = self.phase.scenarios.iter().filter(counted);
            let running = scenarios.filter_map(|scenario| {
                scenario.executor.target_rate(at.checked_sub(scenario.start_time)?)
            });
            running.sum()
        };
        let seconds = 0..=self.phase.load_duration().as_secs();
        let point =
            |second| (Duration::from_secs(second).as_secs_f64(), rate(Duration::from_secs(second)));
        let plan = seconds.map(point).collect::<Vec<_>>();
        let open = plan.iter().any(|(_, rate)| *rate > 0.0);
        screen.info.target_rate = if open { plan } else { Vec::new() };
        screen.info.rate_metric =
            if any_places { ORDER_RATE_METRIC } else { ANY_RATE_METRIC }.into();
    }

    fn look(&mut self, screen: &mut Screen) {
        if self.draws.is_multiple_of(DRAWS_PER_SAMPLE) {
            self.usage.sample(&self.processes());
            screen.processes = self.usage.now();
        }
        self.draws += 1;
        screen.load = self.state.borrow_and_update().clone();
        screen.info.elapsed = self.started.elapsed();
        let elapsed = screen.info.elapsed.min(self.phase.load_duration());
        screen.validity = validity(&screen.load, self.phase.send_lag_limit);
        screen.thresholds = threshold::evaluate_all(&self.phase.thresholds, &screen.load, elapsed);
        screen.show();
    }

    fn processes(&self) -> Vec<(String, u32)> {
        let mut processes = self.shop.map(Shop::processes).unwrap_or_default();
        let loads = self.loads.iter().enumerate();
        processes.extend(loads.map(|(shard, pid)| (format!("load-{shard}"), *pid)));
        processes.push(("harness".into(), std::process::id()));
        processes
    }
}
