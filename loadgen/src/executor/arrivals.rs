//! What both arrival-rate executors do: start everything that is due, drop what finds no user.

use std::time::{Duration, Instant};

use super::Run;
use super::clock::Woken;
use super::schedule::{Arrivals, Paced};

/// When the generator is late it starts what is overdue in bursts of this size, and lets what has been
/// started get on between them.
const BURST: u32 = 64;

/// Starts iterations as planned until the plan is over or the test is to end.
pub(super) async fn run(run: &Run, plan: Arrivals) {
    let mut course = OnCourse { run, end: plan.end(), plan: Paced::new(plan), known: 0, burst: 0 };
    for local in 0.. {
        let number = run.stripe.number(local);
        let Some(due) = course.due(number).await else { return };
        run.pool.start_due(number, due).await;
    }
}

struct OnCourse<'a> {
    run: &'a Run,
    plan: Paced,
    end: Duration,
    /// Changes of rate that the plan has been told.
    known: usize,
    /// Overdue iterations started one after the other.
    burst: u32,
}

impl OnCourse<'_> {
    /// Waits until iteration `number` is due. `None` when no more are to start.
    async fn due(&mut self, number: u64) -> Option<Instant> {
        let clock = &self.run.clock;
        loop {
            if clock.has_changed(self.known) {
                let changes = clock.changes(self.known);
                self.known += changes.len();
                changes.into_iter().for_each(|change| self.plan.change(change));
            }
            let start = self.plan.start_of(number);
            // Where no more is due, a rate that is raised at the last moment may still change that.
            let woken = clock.until(start.unwrap_or(self.end)).await;
            match woken {
                Woken::Stopped => return None,
                Woken::Changed => {}
                Woken::Due(_) | Woken::Overdue(_) if start.is_none() => return None,
                Woken::Due(due) => {
                    self.burst = 0;
                    return Some(due);
                }
                Woken::Overdue(due) => {
                    self.burst += 1;
                    if self.burst > BURST {
                        self.burst = 0;
                        tokio::task::yield_now().await;
                    }
                    return Some(due);
                }
            }
        }
    }
}
