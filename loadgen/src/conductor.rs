//! The parent's side of a load test: starts the shards, merges what they tell, judges, stops.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::executor::schedule::Stripe;
use crate::flow::Targets;
use crate::metrics::{Aggregate, LoadState, names};
use crate::scenario::Phase;
use crate::shard::{Order, Plan, Report};
use crate::threshold::{self, ThresholdVerdict};

/// As in k6.
const THRESHOLD_INTERVAL: Duration = Duration::from_secs(2);
/// For a shard to read its plan, find the services and prepare its scenarios.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// For a shard to exit after it has told everything.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Reports of all shards waiting to be merged.
const REPORTS_WAITING: usize = 256;
/// Beyond this the generator is said to lag, by its 99th percentile.
const SEND_LAG_PERCENTILE: f64 = 99.0;

pub struct ConductorOptions {
    /// How to start one load child: a program and its arguments.
    pub command: Vec<OsString>,
    pub phase: Phase,
    pub targets: Targets,
    /// Where the shards write their journals. Must exist.
    pub journal_dir: PathBuf,
    pub seed: u64,
    /// Load processes; 1 is enough for what two cores can carry.
    pub shards: u32,
}

/// What to do with a running test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Start no more iterations and let those that run end, within their `gracefulStop`.
    Stop,
    /// End at once. There will be no result.
    Kill,
}

/// Whether the measurement can be believed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validity {
    pub valid: bool,
    /// The 99th percentile. `None` without an open-model scenario.
    pub send_lag_p99: Option<Duration>,
    pub limit: Duration,
    /// Why not, in a sentence.
    pub reason: Option<String>,
}

#[derive(Debug, Clone)]
pub struct LoadResult {
    pub state: LoadState,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
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
            shard.order(Order::Start).await?;
        }
        let (publish, state) = watch::channel(Arc::default());
        let (control, controls) = mpsc::unbounded_channel();
        let pids = shards.iter().map(|shard| shard.pid).collect();
        let performance = Performance::new(options.phase, publish);
        let work = tokio::spawn(performance.conduct(shards, controls));
        Ok(Self { pids, control, state, work })
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

    /// Takes effect as soon as the shards read it.
    pub fn control(&self, control: Control) {
        // A test that is over needs no more control.
        let _ = self.control.send(control);
    }

    /// Something that can control the test while [`Self::finish`] waits for it.
    #[must_use]
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

struct ShardProcess {
    index: u32,
    pid: u32,
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl ShardProcess {
    async fn start(
        options: &ConductorOptions,
        stripe: Stripe,
        run_id: u64,
    ) -> anyhow::Result<Self> {
        let (program, arguments) =
            options.command.split_first().context("no command to start a load shard with")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start a load shard ({})", program.display()))?;
        let orders = child.stdin.take().context("a load shard without standard input")?;
        let reports = child.stdout.take().context("a load shard without standard output")?;
        let pid = child.id().unwrap_or_default();
        let reports = BufReader::new(reports);
        let mut shard = Self { index: stripe.index, pid, child, orders, reports };
        let plan = Plan {
            scenarios: options.phase.scenarios.clone(),
            targets: options.targets.clone(),
            journal_dir: options.journal_dir.clone(),
            seed: options.seed,
            run_id,
            stripe,
        };
        shard.say(&plan).await?;
        Ok(shard)
    }

    async fn say(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let said = self.orders.write_all(&line).await;
        said.with_context(|| format!("load shard {} does not listen", self.index))
    }

    async fn order(&mut self, order: Order) -> anyhow::Result<()> {
        self.say(&order).await
    }

    async fn until_ready(&mut self) -> anyhow::Result<()> {
        let report = tokio::time::timeout(READY_TIMEOUT, next_report(&mut self.reports)).await;
        let report = report.map_err(|_| anyhow!("load shard {} is not ready", self.index))??;
        match report {
            Some(Report::Ready(_)) => Ok(()),
            Some(Report::Failed(reason)) => bail!("{reason}"),
            _ => bail!("load shard {} died before it was ready", self.index),
        }
    }
}

async fn next_report(
    reports: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> anyhow::Result<Option<Report>> {
    let mut line = Vec::new();
    if reports.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).context("a load shard says what is no report")
}

/// A shard's report, or its end (`None`), or why it cannot be heard.
type Heard = (usize, anyhow::Result<Option<Report>>);

/// The load from start to end.
struct Performance {
    phase: Phase,
    load: LoadState,
    publish: watch::Sender<Arc<LoadState>>,
    aborted: bool,
    stopped: bool,
    /// When the shards were told to start no more.
    stopped_after: Option<Duration>,
}

impl Performance {
    fn new(phase: Phase, publish: watch::Sender<Arc<LoadState>>) -> Self {
        Self {
            phase,
            load: LoadState::new(),
            publish,
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
                Some(control) = controls.recv() => match control {
                    Control::Kill => bail!("the load was killed"),
                    Control::Stop => {
                        self.stopped = true;
                        self.stop(&mut crew).await;
                    }
                },
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

    async fn stop(&mut self, crew: &mut Crew) {
        self.stopped_after.get_or_insert(self.load.elapsed());
        crew.stop().await;
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

    fn result(self) -> LoadResult {
        let thresholds = self.verdicts(self.loaded());
        let validity = validity(&self.load, self.phase.send_lag_limit);
        let Self { load, aborted, stopped, .. } = self;
        LoadResult { state: load, thresholds, validity, aborted, stopped }
    }
}

/// Judges the generator by its send lag.
#[must_use]
pub fn validity(load: &LoadState, limit: Duration) -> Validity {
    let Some(Aggregate::Trend(lag)) = load.select(names::SEND_LAG, &[]) else {
        return Validity { valid: true, send_lag_p99: None, limit, reason: None };
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
    Validity { valid, send_lag_p99: Some(p99), limit, reason }
}

/// The shards while they play.
struct Crew {
    members: Vec<Member>,
    /// Members that have not finished.
    playing: usize,
}

struct Member {
    child: Child,
    /// Closed, a shard exits.
    orders: ChildStdin,
    listener: JoinHandle<()>,
    finished: bool,
}

impl Crew {
    fn listen(shards: Vec<ShardProcess>, heard: &mpsc::Sender<Heard>) -> Self {
        let member = |(index, shard): (usize, ShardProcess)| {
            let (heard, mut reports) = (heard.clone(), shard.reports);
            let listener = tokio::spawn(async move {
                loop {
                    let report = next_report(&mut reports).await;
                    let over = !matches!(report, Ok(Some(_)));
                    if heard.send((index, report)).await.is_err() || over {
                        return;
                    }
                }
            });
            Member { child: shard.child, orders: shard.orders, listener, finished: false }
        };
        let members: Vec<_> = shards.into_iter().enumerate().map(member).collect();
        Self { playing: members.len(), members }
    }

    fn has_finished(&self, index: usize) -> bool {
        self.members.get(index).is_some_and(|member| member.finished)
    }

    fn finished(&mut self, index: usize) {
        if let Some(member) = self.members.get_mut(index)
            && !std::mem::replace(&mut member.finished, true)
        {
            self.playing -= 1;
        }
    }

    async fn stop(&mut self) {
        for member in &mut self.members {
            // One that does not listen is about to be reported dead.
            let _ = member.orders.write_all(b"\"stop\"\n").await;
        }
    }

    async fn dismiss(self) {
        for Member { mut child, orders, listener, .. } in self.members {
            drop(orders);
            listener.abort();
            // Beyond the time it is killed with its handle.
            let _ = tokio::time::timeout(EXIT_TIMEOUT, child.wait()).await;
        }
    }
}
