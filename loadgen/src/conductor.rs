//! The parent's side of a load test: starts the shards, merges what they tell, judges, stops.

mod crew;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::course::{Change, Course, Follow, Percent};
use crate::executor::schedule::Stripe;
use crate::flow::{Given, Targets};
use crate::metrics::{Aggregate, LoadState, names};
use crate::report::Validity;
use crate::scenario::Phase;
use crate::shard::{HEAD_START, Order, Report};
use crate::threshold::{self, Threshold, ThresholdVerdict};
use crew::{Crew, ShardProcess};

/// As in k6.
const THRESHOLD_INTERVAL: Duration = Duration::from_secs(2);
/// Reports of all shards waiting to be merged.
const REPORTS_WAITING: usize = 256;
/// Beyond this the generator is said to lag, by its 99th percentile.
const SEND_LAG_PERCENTILE: f64 = 99.0;
/// From an order to the moment for which it is given: longer than it takes to reach every shard, so that all
/// follow it at the same moment of plan time and before they come to it.
const NOTICE: Duration = Duration::from_millis(100);

pub struct ConductorOptions {
    /// How to start one load child: a program and its arguments.
    pub command: Vec<OsString>,
    pub phase: Phase,
    pub targets: Targets,
    /// What the phase's setup has captured.
    pub given: Given,
    /// Where the shards write their journals. Must exist.
    pub journal_dir: PathBuf,
    pub seed: u64,
    /// Load processes; 1 is enough for what two cores can carry.
    pub shards: u32,
    /// Which part of the test is this machine's.
    pub segment: Stripe,
    /// Prepare everything and start with [`Control::Resume`].
    pub paused: bool,
}

/// What to do with a running test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Let plan time stand still: nothing starts, running iterations end.
    Pause,
    Resume,
    /// From now on so much of the plan's rate, or of its virtual users in closed models.
    Rate(Percent),
    /// Start no more iterations and let those that run end, within their `gracefulStop`.
    Stop,
    /// End at once. There will be no result.
    Kill,
}

#[derive(Debug, Clone)]
pub struct LoadResult {
    pub state: LoadState,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
    /// The time over which counters' rates were judged.
    pub judged_over: Duration,
    /// Set when a threshold with `abortOnFail` ended the test.
    pub aborted: bool,
    /// Set when [`Control::Stop`] did.
    pub stopped: bool,
}

/// A running load test. Its children end when it is dropped.
pub struct Conductor {
    pids: Vec<u32>,
    control: mpsc::UnboundedSender<Control>,
    state: watch::Receiver<Arc<LoadState>>,
    course: Follow,
    work: JoinHandle<anyhow::Result<LoadResult>>,
}

impl Conductor {
    /// Starts the shards and, once all are ready, the load.
    ///
    /// # Errors
    /// When a shard cannot be started or cannot prepare itself.
    pub async fn start(options: ConductorOptions) -> anyhow::Result<Self> {
        let mut shards = Vec::new();
        let run_id = rand::random();
        for index in 0..options.shards.max(1) {
            let stripe = Stripe { index, of: options.shards.max(1) };
            shards.push(ShardProcess::start(&options, stripe, run_id).await?);
        }
        for shard in &mut shards {
            shard.until_ready().await?;
        }
        for shard in &mut shards {
            if options.paused {
                shard.order(Order::Pause { at: Duration::ZERO }).await?;
            }
            shard.order(Order::Start).await?;
        }
        let mut course = Course::new(Instant::now() + HEAD_START);
        if options.paused {
            course.pause(Duration::ZERO);
        }
        let (steer, course) = watch::channel(course);
        let (publish, state) = watch::channel(Arc::default());
        let (control, controls) = mpsc::unbounded_channel();
        let pids = shards.iter().map(|shard| shard.pid).collect();
        let performance = Performance::new(options.phase, publish, steer);
        let work = tokio::spawn(performance.conduct(shards, controls));
        Ok(Self { pids, control, state, course: Follow::new(course), work })
    }

    /// The load processes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.pids.clone()
    }

    /// The state of the load, new with every snapshot.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<LoadState>> {
        self.state.clone()
    }

    /// The plan's clock and what was done to its rate.
    #[must_use]
    pub fn course(&self) -> Follow {
        self.course.clone()
    }

    /// Takes effect as soon as the shards read it.
    pub fn control(&self, control: Control) {
        // A test that is over needs no more control.
        let _ = self.control.send(control);
    }

    /// Something that can control the test while [`Self::finish`] waits for it.
    pub fn controller(&self) -> impl Fn(Control) + Send + Sync + use<> {
        let control = self.control.clone();
        move |order| {
            // As in `control`.
            let _ = control.send(order);
        }
    }

    /// Waits for the end of the load and judges it.
    ///
    /// # Errors
    /// When a shard died or could not go on: what it knew is lost, so there is no result.
    pub async fn finish(mut self) -> anyhow::Result<LoadResult> {
        (&mut self.work).await.context("the conductor panicked")?
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        // With the task go the children's handles, which kill what still runs.
        self.work.abort();
    }
}

/// The load from start to end.
struct Performance {
    phase: Phase,
    load: LoadState,
    publish: watch::Sender<Arc<LoadState>>,
    steer: watch::Sender<Course>,
    aborted: bool,
    stopped: bool,
    /// When the shards were told to start no more.
    stopped_after: Option<Duration>,
}

impl Performance {
    fn new(
        phase: Phase,
        publish: watch::Sender<Arc<LoadState>>,
        steer: watch::Sender<Course>,
    ) -> Self {
        Self {
            load: LoadState::tracking(phase.thresholds.iter().filter_map(Threshold::track)),
            phase,
            publish,
            steer,
            aborted: false,
            stopped: false,
            stopped_after: None,
        }
    }

    async fn conduct(
        mut self,
        shards: Vec<ShardProcess>,
        mut controls: mpsc::UnboundedReceiver<Control>,
    ) -> anyhow::Result<LoadResult> {
        let (heard, mut reports) = mpsc::channel(REPORTS_WAITING);
        let mut crew = Crew::listen(shards, &heard);
        drop(heard);
        let mut judge = tokio::time::interval(THRESHOLD_INTERVAL);
        while crew.playing > 0 {
            tokio::select! {
                biased;
                Some(control) = controls.recv() => self.obey(control, &mut crew).await?,
                report = reports.recv() => {
                    let Some((index, report)) = report else { bail!("all load shards are gone") };
                    self.take(&mut crew, index, report?)?;
                }
                _ = judge.tick() => if self.must_abort() {
                    self.aborted = true;
                    self.stop(&mut crew).await;
                },
            }
        }
        crew.dismiss().await;
        Ok(self.result())
    }

    async fn obey(&mut self, control: Control, crew: &mut Crew) -> anyhow::Result<()> {
        let now = Instant::now();
        let at = self.steer.borrow().elapsed(now + NOTICE);
        match control {
            Control::Kill => bail!("the load was killed"),
            Control::Stop => {
                self.stopped = true;
                self.stop(crew).await;
            }
            Control::Pause if self.steer.borrow().will_pause() => {}
            Control::Pause => {
                crew.tell(Order::Pause { at }).await;
                self.steer.send_modify(|course| course.pause(at));
            }
            Control::Resume => {
                crew.tell(Order::Resume).await;
                self.steer.send_modify(|course| course.resume(now + HEAD_START));
            }
            // The shards count the changes as this side does, so they refuse the same ones.
            Control::Rate(rate) => {
                crew.tell(Order::Rate { at, rate }).await;
                self.steer.send_modify(|course| {
                    course.scale(Change { at, rate });
                });
                threshold::follow(&mut self.phase.thresholds, self.steer.borrow().changes());
            }
        }
        Ok(())
    }

    async fn stop(&mut self, crew: &mut Crew) {
        self.stopped_after.get_or_insert(self.load.elapsed());
        crew.tell(Order::Stop).await;
    }

    fn take(
        &mut self,
        crew: &mut Crew,
        index: usize,
        report: Option<Report>,
    ) -> anyhow::Result<()> {
        match report {
            Some(Report::Snapshot(snapshot)) => {
                self.load.merge(index, &snapshot)?;
                self.publish.send_replace(Arc::new(self.load.clone()));
            }
            Some(Report::Ready(_)) => {}
            Some(Report::Finished(_)) => crew.finished(index),
            Some(Report::Failed(reason)) => bail!("load shard {index} failed: {reason}"),
            None if crew.has_finished(index) => {}
            None => bail!("load shard {index} died: its part of the load is lost"),
        }
        Ok(())
    }

    fn verdicts(&self, load_duration: Duration) -> Vec<ThresholdVerdict> {
        threshold::evaluate_all(&self.phase.thresholds, &self.load, load_duration)
    }

    fn must_abort(&self) -> bool {
        !self.aborted && self.verdicts(self.loaded()).iter().any(|verdict| verdict.abort)
    }

    /// How long there has been load: the time over which a counter's rate is taken. The tail in which
    /// iterations only end does not count.
    fn loaded(&self) -> Duration {
        let planned = self.phase.load_duration();
        self.load.elapsed().min(self.stopped_after.unwrap_or(planned)).min(planned)
    }

    fn result(mut self) -> LoadResult {
        self.load.close();
        let judged_over = self.loaded();
        let thresholds = self.verdicts(judged_over);
        let validity = validity(&self.load, self.phase.send_lag_limit);
        let Self { load, aborted, stopped, .. } = self;
        LoadResult { state: load, thresholds, validity, judged_over, aborted, stopped }
    }
}

/// Judges the generator by its send lag.
#[must_use]
pub fn validity(load: &LoadState, limit: Duration) -> Validity {
    let Some(Aggregate::Trend(lag)) = load.select(names::SEND_LAG, &[]) else {
        // Without an open model nothing was due at any time, so nothing was late.
        return Validity { valid: true, send_lag_p99: Duration::ZERO, limit, reason: None };
    };
    let p99 = lag.percentile(SEND_LAG_PERCENTILE);
    let valid = p99 <= limit;
    let reason = (!valid).then(|| {
        format!(
            "the load generator itself was late: send lag p99 is {:.1} ms and the limit {:.1} ms, so \
             the times say more about it than about the system",
            p99.as_secs_f64() * 1e3,
            limit.as_secs_f64() * 1e3,
        )
    });
    Validity { valid, send_lag_p99: p99, limit, reason }
}
