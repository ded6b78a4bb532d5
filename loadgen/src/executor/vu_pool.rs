//! The virtual users of one scenario in one shard, and their running iterations.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::schedule::Stripe;
use super::stages::Stages;
use crate::metrics::{CounterId, GaugeId, Registry, TrendId, names};
use crate::vu::{Iteration, VirtualUser, Work};

pub(crate) struct VuPool {
    work: Rc<dyn Work>,
    stripe: Stripe,
    /// Virtual users that there may be in this shard.
    max: u32,
    allocated: Cell<u32>,
    busy: Cell<u32>,
    free: RefCell<Vec<Box<dyn VirtualUser>>>,
    /// For closed models, which number their iterations as they start.
    started: Cell<u64>,
    tasks: RefCell<JoinSet<()>>,
    pub(crate) stages: Stages,
    samples: Samples,
}

struct Samples {
    registry: Registry,
    vus: GaugeId,
    vus_max: GaugeId,
    iterations: CounterId,
    iteration_duration: TrendId,
    dropped_iterations: CounterId,
    /// In open models.
    send_lag: Option<TrendId>,
}

impl VuPool {
    /// `tags` go on every sample. `open_model` scenarios have a send lag.
    pub(crate) fn new(
        work: Rc<dyn Work>,
        stripe: Stripe,
        max: u32,
        open_model: bool,
        stages: Stages,
        registry: &Registry,
        tags: &[(&str, &str)],
    ) -> Self {
        let samples = Samples {
            vus: registry.gauge(names::VUS, tags),
            vus_max: registry.gauge(names::VUS_MAX, tags),
            iterations: registry.counter(names::ITERATIONS, tags),
            iteration_duration: registry.trend(names::ITERATION_DURATION, tags),
            dropped_iterations: registry.counter(names::DROPPED_ITERATIONS, tags),
            send_lag: open_model.then(|| registry.trend(names::SEND_LAG, tags)),
            registry: registry.clone(),
        };
        Self {
            work,
            stripe,
            max: stripe.share(max),
            allocated: Cell::new(0),
            busy: Cell::new(0),
            free: RefCell::default(),
            started: Cell::new(0),
            tasks: RefCell::default(),
            stages,
            samples,
        }
    }

    /// Makes sure that there are `count` virtual users.
    pub(crate) fn allocate(&self, count: u32) {
        let mut free = self.free.borrow_mut();
        while self.allocated.get() < count.min(self.max) {
            free.push(self.work.virtual_user());
            self.allocated.set(self.allocated.get() + 1);
        }
        self.samples.registry.set(self.samples.vus_max, f64::from(self.allocated.get()));
        self.samples.registry.set(self.samples.vus, f64::from(self.busy.get()));
    }

    /// A free virtual user, a new one if there may be more, or none.
    pub(crate) fn take(&self) -> Option<Box<dyn VirtualUser>> {
        if self.free.borrow().is_empty() {
            self.allocate(self.allocated.get().saturating_add(1));
        }
        let vu = self.free.borrow_mut().pop()?;
        self.set_busy(self.busy.get() + 1);
        Some(vu)
    }

    pub(crate) fn give_back(&self, vu: Box<dyn VirtualUser>) {
        self.free.borrow_mut().push(vu);
        self.set_busy(self.busy.get().saturating_sub(1));
    }

    fn set_busy(&self, busy: u32) {
        self.busy.set(busy);
        self.samples.registry.set(self.samples.vus, f64::from(busy));
    }

    /// Starts iteration `number`, which was due at `due`, or counts it as dropped.
    ///
    /// Its first steps, up to where it has to wait, are taken here and now: as a task it would queue behind
    /// all that is ready to run, and start as late as those are many.
    pub(crate) async fn start_due(self: &Rc<Self>, number: u64, due: Instant) {
        let Some(mut vu) = self.take() else { return self.drop_due(due).await };
        let pool = Rc::clone(self);
        let mut iteration = Box::pin(async move {
            let started = Instant::now();
            let iteration = Iteration { number, intended_start: due, started };
            pool.run(vu.as_mut(), iteration).await;
            pool.give_back(vu);
        });
        let has_ended = poll_fn(|cx| Poll::Ready(iteration.as_mut().poll(cx).is_ready())).await;
        if !has_ended {
            self.spawn(iteration);
        }
    }

    /// Runs an iteration that nobody scheduled: its start is now.
    pub(crate) async fn run_now(&self, vu: &mut dyn VirtualUser) {
        let number = self.stripe.number(self.started.replace(self.started.get() + 1));
        let started = Instant::now();
        self.run(vu, Iteration { number, intended_start: started, started }).await;
    }

    async fn run(&self, vu: &mut dyn VirtualUser, iteration: Iteration) {
        let stage = self.stages.at(iteration.intended_start);
        let work = std::pin::pin!(self.run_recorded(vu, iteration));
        self.stages.within(stage, work).await;
    }

    async fn run_recorded(&self, vu: &mut dyn VirtualUser, iteration: Iteration) {
        let Samples { registry, .. } = &self.samples;
        if let Some(send_lag) = self.samples.send_lag {
            registry.observe(send_lag, iteration.started - iteration.intended_start);
        }
        vu.run(iteration).await;
        registry.add(self.samples.iterations, 1);
        registry.observe(self.samples.iteration_duration, iteration.started.elapsed());
    }

    async fn drop_due(&self, due: Instant) {
        let count = std::pin::pin!(async { self.count_dropped(1) });
        self.stages.within(self.stages.at(due), count).await;
    }

    pub(crate) fn count_dropped(&self, iterations: u64) {
        self.samples.registry.add(self.samples.dropped_iterations, iterations);
    }

    /// Runs a virtual user's task. A panic in one is a mistake of ours and ends the shard.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        while let Some(ended) = tasks.try_join_next() {
            check(ended);
        }
        tasks.spawn_local(task);
    }

    /// Completes when no task runs.
    pub(crate) async fn all_ended(&self) {
        poll_fn(|cx| {
            loop {
                match self.tasks.borrow_mut().poll_join_next(cx) {
                    Poll::Ready(Some(ended)) => check(ended),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    /// Waits for the running iterations, and cuts off what still runs after `graceful_stop`.
    pub(crate) async fn drain(&self, graceful_stop: Duration) {
        if tokio::time::timeout(graceful_stop, self.all_ended()).await.is_err() {
            self.tasks.borrow_mut().abort_all();
            self.all_ended().await;
        }
        self.set_busy(0);
    }
}

fn check(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
