//! A scenario's clock: where its executor waits for the plan, whatever is done to that meanwhile.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pacer::Pacer;
use crate::course::{Change, Course, Percent};

/// Counts from the scenario's `startTime`, in plan time.
#[derive(Clone)]
pub(crate) struct Clock {
    pub(crate) start_time: Duration,
    pub(crate) course: watch::Receiver<Course>,
    pub(crate) pacer: Pacer,
    /// Cancelled when the test is to end early.
    pub(crate) stop: CancellationToken,
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The moment has come: this one.
    Due(Instant),
    /// It had come before anybody waited.
    Overdue(Instant),
    /// The course was changed. The moment may be another one now.
    Changed,
    /// The test is to end.
    Stopped,
}

impl Clock {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// So much of its virtual users or rate a scenario is to have.
    pub(crate) fn rate(&self) -> Percent {
        self.course.borrow().rate()
    }

    /// Whether there are more changes of rate than the first `known`.
    pub(crate) fn has_changed(&self, known: usize) -> bool {
        self.course.borrow().changes().len() > known
    }

    /// The changes of rate after the first `known`, in the scenario's time.
    pub(crate) fn changes(&self, known: usize) -> Vec<Change> {
        let course = self.course.borrow();
        let new = course.changes().get(known..).unwrap_or_default();
        let own = |change: &Change| Change {
            at: change.at.saturating_sub(self.start_time),
            rate: change.rate,
        };
        new.iter().map(own).collect()
    }

    /// Waits for `offset` or whatever comes first.
    pub(crate) async fn until(&self, offset: Duration) -> Woken {
        if self.stop.is_cancelled() {
            return Woken::Stopped;
        }
        let due = self.course.borrow().moment(self.start_time + offset);
        if let Some(due) = due.filter(|due| *due <= Instant::now()) {
            return Woken::Overdue(due);
        }
        let mut course = self.course.clone();
        course.mark_unchanged();
        let come = async {
            match due {
                Some(due) => {
                    self.pacer.sleep_until(due).await;
                    due
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Woken::Stopped,
            Ok(()) = course.changed() => Woken::Changed,
            due = come => Woken::Due(due),
        }
    }

    /// Waits for `offset`, through all changes; false when the test is to end first.
    pub(crate) async fn reach(&self, offset: Duration) -> bool {
        loop {
            match self.until(offset).await {
                Woken::Due(_) | Woken::Overdue(_) => return true,
                Woken::Changed => {}
                Woken::Stopped => return false,
            }
        }
    }

    /// Waits while the test is paused. True when an iteration may start: the scenario's time is not over at
    /// `end`, and the test is not to end.
    pub(crate) async fn is_open(&self, end: Duration) -> bool {
        loop {
            if self.stop.is_cancelled() {
                return false;
            }
            let (elapsed, is_paused) = {
                let (course, now) = (self.course.borrow(), Instant::now());
                (course.elapsed(now), course.is_paused(now))
            };
            if elapsed >= self.start_time + end {
                return false;
            }
            if !is_paused {
                return true;
            }
            let mut course = self.course.clone();
            course.mark_unchanged();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return false,
                Ok(()) = course.changed() => {}
            }
        }
    }
}
