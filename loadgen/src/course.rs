//! How a plan goes on: its clock, which stands still while the test is paused, and the factor by which its
//! rates are changed. Pure: the time comes in.
//!
//! All times of a plan are counted in its own time: when a stage begins, when an iteration is due, how old a
//! sample is, over how long a counter's rate is taken. A pause has no such time, so nothing becomes late in it,
//! nothing is dropped for it, and no average is thinned by it. A change of rate holds from a moment of plan
//! time on, the same in all shards: what was due before stays, what comes after follows the new rate, and
//! nothing is caught up with.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Changes of rate that one phase may see: a key held down for minutes.
const MOST_CHANGES: usize = 4096;

/// A factor on rates and virtual users, in percent of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(u32);

impl Percent {
    pub const PLAN: Self = Self(100);
    pub const LOWEST: Self = Self(10);
    pub const HIGHEST: Self = Self(1000);
    const STEP: u32 = 10;

    /// So much, in whole steps between a tenth of the plan and ten times the plan.
    #[must_use]
    pub fn new(percent: u32) -> Self {
        let steps = percent.saturating_add(Self::STEP / 2) / Self::STEP;
        Self(steps.saturating_mul(Self::STEP)).clamp(Self::LOWEST, Self::HIGHEST)
    }

    /// Ten percent of the plan more, up to ten times the plan.
    #[must_use]
    pub fn more(self) -> Self {
        Self(self.0 + Self::STEP).min(Self::HIGHEST)
    }

    /// Ten percent of the plan less, down to a tenth of it.
    #[must_use]
    pub fn less(self) -> Self {
        Self(self.0.saturating_sub(Self::STEP)).max(Self::LOWEST)
    }

    #[must_use]
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// So much of `count`; at least one where there is any.
    #[must_use]
    pub fn of(self, count: u32) -> u32 {
        let part = (u64::from(count) * u64::from(self.0) + 50) / 100;
        u32::try_from(part).unwrap_or(u32::MAX).max(u32::from(count > 0))
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self::PLAN
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "×{}.{}", self.0 / 100, self.0 / 10 % 10)
    }
}

/// From `at` on the rate is so much of the plan's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// In plan time.
    pub at: Duration,
    pub rate: Percent,
}

/// A plan's clock and its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// When plan time 0 was, with all pauses left out.
    start: Instant,
    /// Plan time does not go back to before the last pause.
    floor: Duration,
    /// Where plan time stands still, or will.
    paused_at: Option<Duration>,
    /// In the order in which they were made.
    changes: Vec<Change>,
}

impl Course {
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self { start, floor: Duration::ZERO, paused_at: None, changes: Vec::new() }
    }

    /// Plan time 0 is now at `start`.
    pub fn start(&mut self, start: Instant) {
        self.start = start;
    }

    /// Plan time.
    #[must_use]
    pub fn elapsed(&self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.start).max(self.floor);
        self.paused_at.map_or(elapsed, |at| elapsed.min(at))
    }

    /// When plan time reaches `at`; `None` when a pause comes first.
    #[must_use]
    pub fn moment(&self, at: Duration) -> Option<Instant> {
        match self.paused_at {
            Some(pause) if at >= pause => None,
            _ => Some(self.start + at),
        }
    }

    /// Whether a pause is on or about to begin.
    #[must_use]
    pub fn will_pause(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Whether plan time stands still.
    #[must_use]
    pub fn is_paused(&self, now: Instant) -> bool {
        self.paused_at.is_some_and(|at| now.saturating_duration_since(self.start) >= at)
    }

    /// Lets plan time stand still when it reaches `at`. A pause that is on stays as it is.
    pub fn pause(&mut self, at: Duration) {
        self.paused_at.get_or_insert(at);
    }

    /// Lets plan time go on at `from`, or calls off a pause that has not begun by then.
    pub fn resume(&mut self, from: Instant) {
        let Some(at) = self.paused_at.take() else { return };
        if let Some(pause) = from.checked_duration_since(self.start + at) {
            self.start += pause;
            self.floor = at;
        }
    }

    /// Changes the rate. False, and nothing done, when there were too many changes.
    pub fn scale(&mut self, change: Change) -> bool {
        let fits = self.changes.len() < MOST_CHANGES;
        if fits {
            self.changes.push(change);
        }
        fits
    }

    /// All changes of rate, in the order in which they were made.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The last change's rate.
    #[must_use]
    pub fn rate(&self) -> Percent {
        self.changes.last().map_or(Percent::PLAN, |change| change.rate)
    }

    /// The rate at a moment of plan time.
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> Percent {
        let change = self.changes.iter().rev().find(|change| change.at <= at);
        change.map_or(Percent::PLAN, |change| change.rate)
    }
}

/// Follows a course that somebody else steers.
#[derive(Debug, Clone)]
pub struct Follow(watch::Receiver<Course>);

impl Follow {
    #[must_use]
    pub fn new(course: watch::Receiver<Course>) -> Self {
        Self(course)
    }

    /// The course as it is now.
    #[must_use]
    pub fn course(&self) -> Course {
        self.0.borrow().clone()
    }

    /// The rate at a moment of plan time.
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> Percent {
        self.0.borrow().rate_at(at)
    }

    /// Whether plan time stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.borrow().is_paused(Instant::now())
    }

    /// Plan time.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.borrow().elapsed(Instant::now())
    }

    /// Completes when plan time reaches `at`, however long it stands still before.
    pub async fn reach(&self, at: Duration) {
        let mut course = self.0.clone();
        loop {
            let due = course.borrow_and_update().moment(at);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => return,
                Ok(()) = course.changed() => {}
                else => return std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pause_has_no_time() {
        let start = Instant::now();
        let mut course = Course::new(start);
        course.pause(s(10));
        assert_eq!(course.moment(s(9)), Some(start + s(9)), "what comes before goes on");
        assert_eq!(course.moment(s(10)), None);
        assert!(!course.is_paused(start + s(9)) && course.is_paused(start + s(10)));
        assert_eq!(course.elapsed(start + s(99)), s(10));
        course.resume(start + s(100));
        assert_eq!(course.elapsed(start + s(99)), s(10), "it never goes back");
        assert_eq!(course.elapsed(start + s(103)), s(13));
        assert_eq!(course.moment(s(15)), Some(start + s(105)));
    }

    #[test]
    fn a_pause_that_has_not_begun_can_be_called_off() {
        let start = Instant::now();
        let mut course = Course::new(start);
        course.pause(s(10));
        course.resume(start + s(9));
        assert_eq!(course, Course::new(start));
        course.resume(start + s(9));
        assert_eq!(course, Course::new(start), "there was nothing to resume");
    }

    #[test]
    fn rates_go_in_steps_between_their_bounds() {
        let mut rate = Percent::PLAN;
        for _ in 0..200 {
            rate = rate.more();
        }
        assert_eq!((rate, rate.to_string().as_str(), rate.of(3)), (Percent::HIGHEST, "×10.0", 30));
        for _ in 0..200 {
            rate = rate.less();
        }
        assert_eq!((rate, rate.to_string().as_str()), (Percent::LOWEST, "×0.1"));
        assert_eq!((rate.of(3), rate.of(0), rate.of(26)), (1, 0, 3));
        assert_eq!(rate.more(), Percent(20));
    }

    #[test]
    fn a_change_holds_from_its_moment_on() {
        let mut course = Course::new(Instant::now());
        assert!(course.scale(Change { at: s(5), rate: Percent::HIGHEST }));
        assert!(course.scale(Change { at: s(8), rate: Percent::LOWEST }));
        let rates = [4, 5, 7, 8].map(|at| course.rate_at(s(at)));
        assert_eq!(rates, [Percent::PLAN, Percent::HIGHEST, Percent::HIGHEST, Percent::LOWEST]);
        assert_eq!(course.rate(), Percent::LOWEST);
        for _ in 0..MOST_CHANGES {
            course.scale(Change { at: s(9), rate: Percent::PLAN });
        }
        assert_eq!(course.changes().len(), MOST_CHANGES);
    }

    proptest! {
        #[test]
        fn plan_time_is_real_time_less_the_pauses(
            pauses in prop::collection::vec((1_u64..1000, 1_u64..1000), 0..8),
        ) {
            let start = Instant::now();
            let mut course = Course::new(start);
            let (mut now, mut plan, mut last) = (start, Duration::ZERO, Duration::ZERO);
            for (works, rests) in pauses {
                let (works, rests) = (Duration::from_millis(works), Duration::from_millis(rests));
                course.pause(plan + works);
                now += works + rests;
                plan += works;
                prop_assert_eq!(course.elapsed(now), plan);
                course.resume(now);
                prop_assert_eq!(course.elapsed(now), plan);
                prop_assert!(plan >= last);
                last = plan;
            }
            prop_assert_eq!(course.moment(plan + s(1)), Some(now + s(1)));
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_plan_time_waits_through_a_pause() {
        let (steer, course) = watch::channel(Course::new(Instant::now()));
        steer.send_modify(|course| course.pause(Duration::ZERO));
        let follow = Follow::new(course);
        let mut reach = std::pin::pin!(follow.reach(Duration::from_millis(1)));
        let first = futures_util::poll!(reach.as_mut());
        assert!(first.is_pending());
        steer.send_modify(|course| course.resume(Instant::now()));
        reach.await;
        assert!(follow.elapsed() >= Duration::from_millis(1));
    }
}
