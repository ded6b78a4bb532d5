//! A shard: the child process that makes load. It knows no threshold and draws nothing.
//!
//! | line | direction | meaning |
//! |---|---|---|
//! | [`Plan`] | in, first | what to do |
//! | `{"ready":true}` | out | everything is prepared |
//! | `"start"` | in | begin; all shards at once |
//! | `{"snapshot":{…}}` | out | what happened since the last, four times a second |
//! | `{"pause":{"at":…}}` | in | stand still when plan time comes to `at` ([`crate::course`]) |
//! | `"resume"` | in | go on |
//! | `{"rate":{"at":…,"rate":150}}` | in | from `at` on, 150 % of the plan's rate and users |
//! | `"stop"` | in | start no more iterations, end those that run |
//! | `{"finished":true}` | out, last | all has been told |
//! | `{"failed":"…"}` | out, last | why there is no result |
//!
//! When its standard input ends, the parent is gone, and the shard ends at once.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::client::target::Traffic;
use crate::course::{Change, Course, Percent};
use crate::executor::Run;
use crate::executor::clock::Clock;
use crate::executor::pacer::Pacer;
use crate::executor::schedule::Stripe;
use crate::executor::stages::Stages;
use crate::executor::vu_pool::VuPool;
use crate::flow::context::{Context, Services, Shared};
use crate::flow::{Given, Targets, shop_urls};
use crate::journal::{self, Journal};
use crate::metrics::{CounterId, Snapshot, names};
use crate::scenario::Scenario;
use crate::vu::Work;

/// How often a shard tells what happened.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(250);
/// Snapshots on their way to a parent that is busy; beyond that the shard waits.
const LINES_IN_FLIGHT: usize = 64;
/// Between "start" and the first intended start, so that nothing is late before it begins.
pub(crate) const HEAD_START: Duration = Duration::from_millis(20);

/// Tasks that run before the shard looks for due starts and new answers again. With the runtime's own
/// number, 61, a burst of answers alone made starts ten milliseconds late.
const TASKS_BETWEEN_EVENTS: u32 = 4;

/// What a shard is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub scenarios: Vec<Scenario>,
    pub targets: Targets,
    /// What the phase's setup has captured.
    pub given: Given,
    pub journal_dir: PathBuf,
    pub seed: u64,
    /// Tells this run's keys and topics from those of every other run.
    pub run_id: u64,
    /// Which part of the whole test is this machine's.
    #[serde(default = "whole")]
    pub segment: Stripe,
    /// Which part of that is this shard's.
    pub stripe: Stripe,
}

fn whole() -> Stripe {
    Stripe::WHOLE
}

/// What the parent says while the shard works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Start,
    /// Stand still when plan time comes to `at`. Before [`Order::Start`]: at the very beginning.
    Pause {
        at: Duration,
    },
    Resume,
    /// From plan time `at` on, so much of the plan's rate.
    Rate {
        at: Duration,
        rate: Percent,
    },
    Stop,
}

/// What a shard says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Ready(bool),
    Snapshot(Snapshot),
    Finished(bool),
    Failed(String),
}

/// Runs the shard whose plan and orders come on standard input and whose reports go to standard output.
///
/// # Errors
/// When there is no plan, or it cannot be carried out. The parent has been told already.
pub async fn run() -> anyhow::Result<()> {
    let (orders_in, orders) = unbounded_channel();
    let plan = tokio::task::spawn_blocking(move || read_input(orders_in)).await??;
    let (reports, printer) = print_reports()?;
    let failure = reports.clone();
    let work = tokio::task::spawn_blocking(move || work_on_own_runtime(plan, orders, &reports));
    let done = work.await.map_err(|_| anyhow!("the load shard panicked")).flatten();
    let last = match &done {
        Ok(()) => Report::Finished(true),
        Err(error) => Report::Failed(format!("{error:#}")),
    };
    // Without a parent to listen there is nobody to tell.
    let _ = failure.send(last);
    drop(failure);
    let _ = tokio::task::spawn_blocking(move || printer.join()).await;
    done
}

/// Reads the plan, and leaves a thread that passes orders on and ends the process with its input.
fn read_input(orders: UnboundedSender<Order>) -> anyhow::Result<Plan> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the plan")?;
    let plan = serde_json::from_str(&line).context("the plan on standard input is none")?;
    let follow = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                // The shard may have finished: then nobody needs the order.
                Ok(order) => drop(orders.send(order)),
                Err(error) => tracing::warn!(%error, line, "not an order"),
            }
        }
        std::process::exit(ORPHANED);
    };
    std::thread::Builder::new().name("orders".into()).spawn(follow)?;
    Ok(plan)
}

/// The exit code of a shard whose parent is gone: nobody sees it.
const ORPHANED: i32 = 1;

/// A thread that encodes and prints, for a pipe may be full.
fn print_reports() -> anyhow::Result<(SyncSender<Report>, JoinHandle<()>)> {
    let (sender, reports) = sync_channel(LINES_IN_FLIGHT);
    let print = move || {
        for report in reports {
            let Ok(mut line) = serde_json::to_vec(&report) else { continue };
            line.push(b'\n');
            let mut out = std::io::stdout().lock();
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    };
    let printer = std::thread::Builder::new().name("reports".into()).spawn(print)?;
    Ok((sender, printer))
}

fn work_on_own_runtime(
    plan: Plan,
    orders: UnboundedReceiver<Order>,
    reports: &SyncSender<Report>,
) -> anyhow::Result<()> {
    let runtime = runtime(&plan.scenarios)?;
    runtime.block_on(async {
        // Ctrl-C reaches the whole terminal; what it means is the parent's to say.
        let _interrupts = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        Shard::prepare(plan).await?.run(orders, |report| drop(reports.send(report))).await
    })
}

/// The runtime of a shard's thread, for these scenarios.
///
/// # Errors
/// When the system gives it no timer or no events.
pub fn runtime(scenarios: &[Scenario]) -> std::io::Result<tokio::runtime::LocalRuntime> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    if scenarios.iter().any(|scenario| scenario.executor.is_open_model()) {
        runtime.event_interval(TASKS_BETWEEN_EVENTS);
    }
    runtime.enable_all().build_local(tokio::runtime::LocalOptions::default())
}

/// A prepared shard. Runs within one thread's [`tokio::runtime::LocalRuntime`].
pub struct Shard {
    shared: Rc<Shared>,
    pacer: Pacer,
    jobs: Vec<Job>,
}

struct Job {
    scenario: Scenario,
    work: Rc<dyn Work>,
    /// Its part of the whole test and its users; none where there are fewer users than shards.
    share: Option<(Stripe, Rc<VuPool>)>,
    traffic: Rc<Traffic>,
    data_sent: CounterId,
    data_received: CounterId,
}

impl Shard {
    /// Looks up the targets and lets every scenario prepare itself.
    ///
    /// # Errors
    /// When a target has no address, the journal cannot be created, or a scenario cannot be prepared.
    pub async fn prepare(plan: Plan) -> anyhow::Result<Self> {
        Self::prepare_with(plan, &|_| None).await
    }

    /// Likewise, with work of the caller's own for the scenarios for which it has some.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub async fn prepare_with(
        plan: Plan,
        own: &dyn Fn(&Scenario) -> Option<Rc<dyn Work>>,
    ) -> anyhow::Result<Self> {
        crate::preflight::raise_descriptor_limit()?;
        let services = Services::resolve(&plan.targets).await?;
        let journal = Journal::create(&journal::path(&plan.journal_dir, plan.stripe.index))?;
        // Machines that share a test are not to order the same things.
        let seed = plan.seed.wrapping_add(u64::from(plan.segment.index) << 32);
        let ids = (seed, plan.run_id);
        let shared = Rc::new(Shared::new(services, plan.stripe, ids, Some(journal)));
        let whole =
            Whole { targets: &plan.targets, given: &plan.given, segment: plan.segment, own };
        let jobs: Vec<_> = plan
            .scenarios
            .into_iter()
            .enumerate()
            .map(|(index, scenario)| {
                let name = scenario.name.clone();
                Job::new(&shared, &whole, index, scenario)
                    .with_context(|| format!("scenario {name}"))
            })
            .collect::<anyhow::Result<_>>()?;
        for job in &jobs {
            job.work.set_up().await.with_context(|| format!("scenario {}", job.scenario.name))?;
        }
        Ok(Self { shared, pacer: Pacer::start()?, jobs })
    }

    /// Waits for the order to start, runs every scenario and reports until all have ended.
    ///
    /// # Errors
    /// When the journal could not be written in whole.
    pub async fn run(
        self,
        mut orders: UnboundedReceiver<Order>,
        report: impl Fn(Report),
    ) -> anyhow::Result<()> {
        report(Report::Ready(true));
        let (steer, course) = watch::channel(Course::new(Instant::now()));
        while let Some(order) = orders.recv().await {
            if order == Order::Start {
                break;
            }
            self.obey(order, &steer);
        }
        steer.send_modify(|course| course.start(Instant::now() + HEAD_START));
        let obey = async {
            while let Some(order) = orders.recv().await {
                self.obey(order, &steer);
            }
            std::future::pending::<()>().await;
        };
        let now = || steer.borrow().elapsed(Instant::now());
        let snapshots = async {
            let mut ticks = tokio::time::interval(SNAPSHOT_INTERVAL);
            loop {
                ticks.tick().await;
                report(self.snapshot(now()));
            }
        };
        tokio::select! {
            biased;
            () = self.pacer.wake_sleepers() => bail!("the pacer's timer is gone"),
            () = self.run_jobs(&course) => {}
            () = obey => {}
            () = snapshots => {}
        }
        report(self.snapshot(now()));
        self.shared.close_journal()
    }

    fn obey(&self, order: Order, steer: &watch::Sender<Course>) {
        match order {
            Order::Start => {}
            Order::Pause { at } => steer.send_modify(|course| course.pause(at)),
            Order::Resume => {
                let from = Instant::now() + HEAD_START;
                steer.send_modify(|course| course.resume(from));
            }
            Order::Rate { at, rate } => steer.send_modify(|course| {
                if !course.scale(Change { at, rate }) {
                    tracing::warn!("the rate was changed too often: it stays as it is");
                }
            }),
            Order::Stop => self.shared.stop.cancel(),
        }
    }

    async fn run_jobs(&self, course: &watch::Receiver<Course>) {
        let jobs = self.jobs.iter().map(|job| async {
            if let Some((stripe, pool)) = &job.share {
                let clock = Clock {
                    start_time: job.scenario.start_time,
                    course: course.clone(),
                    pacer: self.pacer.clone(),
                    stop: self.shared.stop.clone(),
                };
                let run = Run {
                    clock,
                    graceful_stop: job.scenario.graceful_stop,
                    stripe: *stripe,
                    pool: Rc::clone(pool),
                };
                run.execute(&job.scenario.executor).await;
            }
            job.work.tear_down().await;
        });
        futures_util::future::join_all(jobs).await;
    }

    fn snapshot(&self, elapsed: Duration) -> Report {
        let registry = &self.shared.registry;
        for job in &self.jobs {
            registry.add(job.data_sent, job.traffic.sent.take());
            registry.add(job.data_received, job.traffic.received.take());
        }
        self.shared.flush_journal();
        Report::Snapshot(registry.snapshot(elapsed))
    }
}

/// What all jobs of a plan are told.
struct Whole<'a> {
    targets: &'a Targets,
    given: &'a Given,
    segment: Stripe,
    /// The caller's own work, see [`Shard::prepare_with`].
    own: &'a dyn Fn(&Scenario) -> Option<Rc<dyn Work>>,
}

impl Job {
    fn new(
        shared: &Rc<Shared>,
        whole: &Whole<'_>,
        index: usize,
        scenario: Scenario,
    ) -> anyhow::Result<Self> {
        let own = scenario.tags.iter().map(|(key, value)| (key.clone(), value.clone()));
        let tags: Vec<_> = own.chain([("scenario".to_owned(), scenario.name.clone())]).collect();
        let borrowed: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let registry = &shared.registry;
        let (data_sent, data_received) = (
            registry.counter(names::DATA_SENT, &borrowed),
            registry.counter(names::DATA_RECEIVED, &borrowed),
        );
        let traffic = Rc::<Traffic>::default();
        let context = Context {
            shared: Rc::clone(shared),
            index,
            tags: tags.clone(),
            traffic: Rc::clone(&traffic),
            env: shop_urls::with(&scenario.env, whole.targets),
            given: whole.given.clone(),
        };
        let work = match (whole.own)(&scenario) {
            Some(work) => work,
            None => scenario.flow.work(context)?,
        };
        let executor = &scenario.executor;
        let (most, open) = (executor.most_vus(), executor.is_open_model());
        let stripe = shared.stripe.with_users(whole.segment, executor.max_vus());
        let share = stripe.map(|stripe| {
            let work = Rc::clone(&work);
            let stages = Stages::new(registry, &scenario.stages);
            (stripe, Rc::new(VuPool::new(work, stripe, most, open, stages, registry, &borrowed)))
        });
        Ok(Self { share, scenario, work, traffic, data_sent, data_received })
    }
}
