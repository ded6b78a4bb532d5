//! Executors: each decides when iterations start, and none knows what an iteration does.
//!
//! | executor | starts an iteration |
//! |---|---|
//! | `constant_arrival_rate` | at a steady rate, whatever the system does |
//! | `ramping_arrival_rate` | at a rate that follows stages |
//! | `constant_vus` | whenever one of a fixed number of users is free |
//! | `ramping_vus` | likewise, while the number follows stages |
//! | `per_vu_iterations` | likewise, a fixed number of times for each user |
//! | `shared_iterations` | likewise, a fixed number of times for all of them together |

mod arrivals;
pub(crate) mod clock;
mod constant_arrival_rate;
mod constant_vus;
mod crew;
pub(crate) mod pacer;
mod per_vu_iterations;
mod ramping_arrival_rate;
mod ramping_vus;
pub mod schedule;
mod shared_iterations;
pub(crate) mod stages;
mod stripe;
pub(crate) mod vu_pool;

use std::rc::Rc;
use std::time::Duration;

use crate::scenario::Executor;
use clock::Clock;
use schedule::Stripe;
use vu_pool::VuPool;

/// What an executor works with.
pub(crate) struct Run {
    pub(crate) clock: Clock,
    pub(crate) graceful_stop: Duration,
    pub(crate) stripe: Stripe,
    pub(crate) pool: Rc<VuPool>,
}

impl Run {
    /// Runs a scenario until its last iteration has ended or has been cut off.
    pub(crate) async fn execute(self, executor: &Executor) {
        self.pool.allocate(self.first_vus(executor));
        self.pool.stages.begin(&self.clock.course);
        if self.clock.reach(Duration::ZERO).await {
            match executor {
                Executor::ConstantArrivalRate { rate, time_unit, duration, .. } => {
                    constant_arrival_rate::run(&self, *rate, *time_unit, *duration).await;
                }
                Executor::RampingArrivalRate { start_rate, time_unit, stages, .. } => {
                    ramping_arrival_rate::run(&self, *start_rate, *time_unit, stages).await;
                }
                Executor::ConstantVus { vus, duration } => {
                    constant_vus::run(&self, *vus, *duration).await;
                }
                Executor::RampingVus { start_vus, stages, graceful_ramp_down } => {
                    ramping_vus::run(&self, *start_vus, stages, *graceful_ramp_down).await;
                }
                Executor::PerVuIterations { vus, iterations, max_duration } => {
                    per_vu_iterations::run(&self, *vus, *iterations, *max_duration).await;
                }
                Executor::SharedIterations { vus, iterations, max_duration } => {
                    shared_iterations::run(&self, *vus, *iterations, *max_duration).await;
                }
            }
        }
        self.pool.drain(self.graceful_stop).await;
    }

    fn first_vus(&self, executor: &Executor) -> u32 {
        match executor {
            Executor::ConstantArrivalRate { vus, .. }
            | Executor::RampingArrivalRate { vus, .. } => self.stripe.share(vus.pre_allocated),
            other => self.stripe.share(other.max_vus()),
        }
    }

    /// The end of a scenario that has so many iterations to start and has not started `left` of them. Those
    /// that run have until `max_duration`, and only then `gracefulStop`.
    async fn drop_rest(&self, max_duration: Duration, left: u64) {
        if self.clock.is_stopped() {
            // Whoever ends a test early wants no more of them.
            return;
        }
        self.pool.count_dropped(left);
        tokio::select! {
            biased;
            () = self.pool.all_ended() => {}
            _ = self.clock.reach(max_duration) => {}
        }
    }
}
