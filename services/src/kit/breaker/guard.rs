//! One breaker for many tasks, with its state in the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::warn;

use super::{Breaker, BreakerSettings, BreakerState, Ending, Permit};
use crate::kit::clock::Clock;
use crate::kit::metrics::{BREAKER_STATE, BREAKER_TRANSITIONS};

/// A breaker that tasks share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Names it in logs: what is called.
    name: &'static str,
    clock: Clock,
    breaker: Mutex<Breaker>,
    /// The state, and how often something changed that may admit whoever waits.
    changes: watch::Sender<(BreakerState, u64)>,
}

/// The right to one call. Dropped without a word, the call counts as given up.
#[derive(Debug)]
pub(crate) struct Pass {
    guard: Guard,
    permit: Option<Permit>,
    /// The breaker is half open: this call finds out.
    pub(crate) is_probe: bool,
}

impl Guard {
    pub(crate) fn new(name: &'static str, settings: BreakerSettings, clock: Clock) -> Self {
        let breaker = Breaker::new(settings);
        let (changes, _) = watch::channel((breaker.state(), 0));
        BREAKER_STATE.set(figure(breaker.state()));
        let shared = Shared { name, clock, breaker: Mutex::new(breaker), changes };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.shared.changes.borrow().0
    }

    /// The right to make a call now, if there is one.
    pub(crate) fn admit(&self) -> Option<Pass> {
        let (permit, state) = self.with(|breaker, now| (breaker.admit(now), breaker.state()));
        let is_probe = state == BreakerState::HalfOpen;
        Some(Pass { guard: self.clone(), permit: Some(permit?), is_probe })
    }

    /// Waits for the right to make a call.
    pub(crate) async fn admitted(&self) -> Pass {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(pass) = self.admit() {
                return pass;
            }
            let due = self.with(|breaker, now| breaker.opens_to_probes_in(now));
            tokio::select! {
                biased;
                // The sender lives as long as `self`.
                _ = changes.changed() => {}
                () = sleep_or_wait(due) => {}
            }
        }
    }

    /// Resolves when the breaker does not stand closed.
    pub(crate) async fn tripped(&self) {
        let mut changes = self.shared.changes.subscribe();
        // The sender lives as long as `self`.
        let _ = changes.wait_for(|(state, _)| *state != BreakerState::Closed).await;
    }

    fn with<T>(&self, act: impl FnOnce(&mut Breaker, std::time::Duration) -> T) -> T {
        let shared = &*self.shared;
        let mut breaker = shared.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = breaker.state();
        let result = act(&mut breaker, shared.clock.monotonic());
        let after = breaker.state();
        if before != after {
            let (from, to) = (before.name(), after.name());
            warn!(breaker = shared.name, from, to, "the circuit breaker changes");
            BREAKER_TRANSITIONS.add_to(&[("from", from), ("to", to)], 1);
            BREAKER_STATE.set(figure(after));
            shared.changes.send_modify(|(state, count)| (*state, *count) = (after, *count + 1));
        }
        result
    }
}

/// The state as a metric.
const fn figure(state: BreakerState) -> f64 {
    match state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    }
}

async fn sleep_or_wait(due: Option<std::time::Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}

impl Pass {
    /// The call did what it should.
    pub(crate) fn succeeded(mut self) {
        self.settle(Ending::Succeeded);
    }

    /// The call failed.
    pub(crate) fn failed(self) {
        self.failed_times(1);
    }

    /// It stood for many, and so many of them failed.
    pub(crate) fn failed_times(mut self, count: u32) {
        self.settle(Ending::Failed(count));
    }

    fn settle(&mut self, ending: Ending) {
        let Some(permit) = self.permit.take() else { return };
        self.guard.with(|breaker, now| breaker.settle(permit, ending, now));
        if ending == Ending::GivenUp {
            // The state is the same, but whoever waits may be the next probe.
            self.guard.shared.changes.send_modify(|(_, count)| *count += 1);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.settle(Ending::GivenUp);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn guard(reset_timeout: Duration) -> Guard {
        let settings = BreakerSettings { max_failures: 1, reset_timeout };
        Guard::new("test", settings, Clock::system())
    }

    #[tokio::test]
    async fn whoever_waits_is_admitted_as_soon_as_the_probe_is_given_up() {
        let guard = guard(Duration::ZERO);
        guard.admit().unwrap().failed();
        let probe = guard.admit().unwrap();
        assert_eq!(guard.state(), BreakerState::HalfOpen);
        let waiting = tokio::spawn({
            let guard = guard.clone();
            async move { guard.admitted().await.succeeded() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(probe);
        waiting.await.unwrap();
        assert_eq!(guard.state(), BreakerState::Closed);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_call_hears_that_it_has_opened() {
        let guard = guard(Duration::from_secs(3600));
        let call = guard.admit().unwrap();
        let waiting = tokio::spawn({
            let guard = guard.clone();
            async move { guard.tripped().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        call.failed();
        waiting.await.unwrap();
        assert!(guard.admit().is_none(), "no call while it is open");
    }
}
