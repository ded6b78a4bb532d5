//! The load itself: from the first iteration to the last, with everything that goes on beside it.

use std::path::PathBuf;
use std::time::Duration;

use loadgen::conductor::{Conductor, LoadResult, validity};
use loadgen::course::Follow;
use loadgen::executor::schedule::Stripe;
use loadgen::flow::Flow;
use loadgen::scenario::{Phase, Scenario};
use loadgen::threshold;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::screen::Screen;
use super::steering::Steering;
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
    /// Which part of the plan is this machine's.
    pub segment: Stripe,
    /// Writes the report as it stands: of a load that has taken so long, with what its processes used.
    pub save: &'a dyn Fn(&Screen, Duration, &Usage) -> anyhow::Result<PathBuf>,
}

/// How it went.
pub struct LoadEnd {
    pub result: LoadResult,
    /// Without pauses.
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
    let Surroundings { shop, chaos, notices, heard, screen, signals, segment, save } = around;
    let plan = conductor.course();
    let (mut victims, mut restarts) = (Vec::new(), Vec::new());
    let mut watching = Watching {
        loads: conductor.pids(),
        state: conductor.watch(),
        usage: Usage::default(),
        phase,
        shop,
        segment,
        plan: plan.clone(),
        draws: 0,
    };
    watching.name_rate(screen);
    let mut steering = Steering::new(conductor.controller(), plan.is_paused(), screen);
    let mut finishing = std::pin::pin!(conductor.finish());
    let result = {
        let wreaking = async {
            if let (Some(shop), Some(chaos)) = (shop, chaos) {
                let kills = chaos::wreak(shop, chaos, &plan, &mut victims, notices);
                let rolls = async {
                    if let Some(roll) = &chaos.roll {
                        rolling::roll(shop, roll, &plan, &mut restarts, notices).await;
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
                () = signals.next() => steering.end(screen),
                action = screen.action() => {
                    watching.look(screen);
                    let save = |screen: &Screen| save(screen, plan.elapsed(), &watching.usage);
                    steering.act(action, screen, save);
                }
                Some(notice) = heard.recv() => screen.notice(notice),
                () = &mut wreaking => {}
                _ = ticks.tick() => watching.look(screen),
            }
        }
    };
    watching.look(screen);
    Ok(LoadEnd { result, took: plan.elapsed(), victims, restarts, usage: watching.usage })
}

struct Watching<'a> {
    loads: Vec<u32>,
    state: watch::Receiver<std::sync::Arc<loadgen::metrics::LoadState>>,
    usage: Usage,
    phase: &'a Phase,
    shop: Option<&'a Shop>,
    segment: Stripe,
    plan: Follow,
    draws: u32,
}

impl Watching<'_> {
    /// Whether what is plotted against the plan are orders or anything.
    fn name_rate(&self, screen: &mut Screen) {
        let metric = if self.places_orders() { ORDER_RATE_METRIC } else { ANY_RATE_METRIC };
        screen.info.rate_metric = metric.into();
    }

    fn places_orders(&self) -> bool {
        self.phase.scenarios.iter().any(places)
    }

    /// This machine's planned rate of what is plotted against it, with what was made of it by hand.
    fn planned_rate(&self) -> Vec<(f64, f64)> {
        let any_places = self.places_orders();
        let counted = |scenario: &&Scenario| !any_places || places(scenario);
        let part = f64::from(self.segment.of).recip();
        let rate = |at: Duration| -> f64 {
            let scenarios = self.phase.scenarios.iter().filter(counted);
            let running = scenarios.filter_map(|scenario| {
                scenario.executor.target_rate(at.checked_sub(scenario.start_time)?)
            });
            running.sum::<f64>() * self.plan.rate_at(at).factor() * part
        };
        let end = self.phase.load_duration();
        // At its very end nothing is planned any more, and the line would seem to fall towards that.
        let last = end.saturating_sub(Duration::from_millis(1));
        let seconds = (0..=end.as_secs()).map(Duration::from_secs);
        let plan = seconds.map(|at| (at.as_secs_f64(), rate(at.min(last))));
        let plan: Vec<_> = plan.collect();
        let open = plan.iter().any(|(_, rate)| *rate > 0.0);
        if open { plan } else { Vec::new() }
    }

    fn look(&mut self, screen: &mut Screen) {
        if self.draws.is_multiple_of(DRAWS_PER_SAMPLE) {
            self.usage.sample(&self.processes());
            screen.processes = self.usage.now();
        }
        self.draws += 1;
        screen.load = self.state.borrow_and_update().clone();
        screen.info.elapsed = self.plan.elapsed();
        screen.info.is_paused = self.plan.is_paused();
        screen.info.rate = self.plan.rate_at(screen.info.elapsed);
        screen.info.target_rate = self.planned_rate();
        let elapsed = screen.info.elapsed.min(self.phase.load_duration());
        screen.validity = validity(&screen.load, self.phase.send_lag_limit);
        let mut thresholds = self.phase.thresholds.clone();
        threshold::follow(&mut thresholds, self.plan.course().changes());
        screen.thresholds = threshold::evaluate_all(&thresholds, &screen.load, elapsed);
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

fn places(scenario: &Scenario) -> bool {
    matches!(scenario.flow, Flow::PlaceOrder(_) | Flow::WatchOrder(_))
}
