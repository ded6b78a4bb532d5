//! When iterations are meant to start. Pure arithmetic: iteration `i` has one moment, whatever
//! happened to those before it, so that nothing drifts.

use std::collections::VecDeque;
use std::time::Duration;

pub use super::stripe::Stripe;
use crate::course::{Change, Percent};
use crate::scenario::Stage;

/// A plan of arrivals: one after the other, at a rate that is constant or follows stages.
#[derive(Debug, Clone)]
pub struct Arrivals {
    legs: Vec<Leg>,
}

/// A stretch of time with a rate that changes evenly. Rates are per second.
#[derive(Debug, Clone, Copy)]
struct Leg {
    /// Seconds since the scenario's start.
    start: f64,
    seconds: f64,
    from: f64,
    to: f64,
    /// Arrivals before this leg; a fraction may be left over from it.
    before: f64,
}

impl Leg {
    fn arrivals(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// How many have arrived after so many seconds of the leg.
    fn arrived(&self, seconds: f64) -> f64 {
        let rate = self.from + (self.to - self.from) * (seconds / self.seconds);
        (self.from + rate) / 2.0 * seconds
    }

    /// The moment within the leg when `count` have arrived: the solution of
    /// `from·t + (to − from)/(2·seconds)·t² = count`, in the form that is stable for equal rates.
    fn time_of(&self, count: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt();
        2.0 * count / (self.from + root)
    }
}

impl Arrivals {
    /// `rate` arrivals every `time_unit`, for `duration`.
    #[must_use]
    pub fn constant(rate: f64, time_unit: Duration, duration: Duration) -> Self {
        Self::ramping(rate, time_unit, &[Stage { duration, target: rate }])
    }

    /// Starts at `start_rate` every `time_unit` and goes in a straight line to each stage's target.
    #[must_use]
    pub fn ramping(start_rate: f64, time_unit: Duration, stages: &[Stage]) -> Self {
        let unit = time_unit.as_secs_f64();
        let (mut start, mut from, mut before) = (0.0, start_rate / unit, 0.0);
        let mut legs = Vec::new();
        for stage in stages {
            let (seconds, to) = (stage.duration.as_secs_f64(), stage.target / unit);
            let leg = Leg { start, seconds, from, to, before };
            // A stage without time is a jump of the rate.
            if seconds > 0.0 {
                legs.push(leg);
                before += leg.arrivals();
                start += seconds;
            }
            from = to;
        }
        Self { legs }
    }

    /// When arrival `i` is due, counted from the scenario's start. `None` when the plan is over.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 arrivals are more than any test has")]
    pub fn start_of(&self, i: u64) -> Option<Duration> {
        self.moment_of(i as f64)
    }

    /// When so many, a fraction included, have arrived.
    fn moment_of(&self, count: f64) -> Option<Duration> {
        let leg = self.legs.iter().find(|leg| count < leg.before + leg.arrivals())?;
        Some(Duration::from_secs_f64(leg.start + leg.time_of(count - leg.before)))
    }

    /// How many are due before `at`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded up, positive"
    )]
    pub fn due_by(&self, at: Duration) -> u64 {
        self.arrived(at).ceil() as u64
    }

    /// How many, a fraction included, have arrived by then.
    fn arrived(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        let Some(leg) = self.legs.iter().rev().find(|leg| leg.start <= at) else { return 0.0 };
        leg.before + leg.arrived((at - leg.start).min(leg.seconds))
    }

    /// When the plan is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        let end = self.legs.last().map_or(0.0, |leg| leg.start + leg.seconds);
        Duration::from_secs_f64(end)
    }
}

/// A plan of arrivals whose rate is changed while it goes on. Iteration `i` still has one moment, and the
/// same in every shard that knows of the same changes.
#[derive(Debug, Clone)]
pub struct Paced {
    plan: Arrivals,
    /// How it goes at present: since so many were due, where the plan had so many, at this factor.
    due: f64,
    planned: f64,
    factor: f64,
    /// Changes that no asked-for arrival has come to yet.
    coming: VecDeque<Change>,
}

impl Paced {
    #[must_use]
    pub fn new(plan: Arrivals) -> Self {
        let factor = Percent::PLAN.factor();
        Self { plan, due: 0.0, planned: 0.0, factor, coming: VecDeque::new() }
    }

    /// From `change.at` on, arrivals come at so much of the plan's rate. Changes come in the order of time.
    pub fn change(&mut self, change: Change) {
        self.coming.push_back(change);
    }

    /// When arrival `i` is due, counted from the scenario's start. `None` when the plan is over. To be asked
    /// in the order of `i`.
    #[expect(clippy::cast_precision_loss, reason = "2^53 arrivals are more than any test has")]
    pub fn start_of(&mut self, i: u64) -> Option<Duration> {
        loop {
            let planned = self.planned + (i as f64 - self.due) / self.factor;
            let start = self.plan.moment_of(planned);
            let passed = |change: &mut Change| start.is_none_or(|start| start >= change.at);
            let Some(Change { at, rate }) = self.coming.pop_front_if(passed) else { return start };
            let planned = self.plan.arrived(at);
            self.due += (planned - self.planned) * self.factor;
            self.planned = planned;
            self.factor = rate.factor();
        }
    }
}

/// The moments at which the number of virtual users changes, and the number from then on. A stage
/// without time is a jump.
pub fn vu_steps(start_vus: u32, stages: &[Stage]) -> impl Iterator<Item = (Duration, u32)> {
    let mut from = start_vus;
    let mut start = Duration::ZERO;
    stages.iter().flat_map(move |stage| {
        let (stage_start, first) = (start, from);
        let target = stage.target.round() as u32;
        let steps = if stage.duration.is_zero() {
            u32::from(target != first)
        } else {
            target.abs_diff(first)
        };
        (from, start) = (target, start + stage.duration);
        let duration = stage.duration;
        (1..=steps).map(move |step| {
            let at = stage_start + duration.mul_f64(f64::from(step) / f64::from(steps));
            let count = match steps {
                _ if duration.is_zero() => target,
                _ if target > first => first + step,
                _ => first - step,
            };
            (at, count)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage(seconds: u64, target: f64) -> Stage {
        Stage { duration: Duration::from_secs(seconds), target }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_constant_rate_does_not_drift() {
        let plan = Arrivals::constant(1000.0, SECOND, Duration::from_secs(60));
        assert_eq!(plan.start_of(0), Some(Duration::ZERO));
        assert_eq!(plan.start_of(1), Some(Duration::from_millis(1)));
        assert_eq!(plan.start_of(59_999), Some(Duration::from_millis(59_999)));
        assert_eq!(plan.start_of(60_000), None);
        let thirds = Arrivals::constant(3.0, SECOND, Duration::from_secs(1000));
        assert_eq!(thirds.start_of(2999), Some(Duration::from_secs_f64(2999.0 / 3.0)));
    }

    #[test]
    fn the_time_unit_counts() {
        let plan = Arrivals::constant(30.0, Duration::from_secs(60), Duration::from_secs(60));
        assert_eq!(plan.start_of(1), Some(Duration::from_secs(2)));
        assert_eq!(plan.start_of(30), None);
    }

    #[test]
    fn a_ramp_follows_its_integral() {
        // 0 to 10 per second in 10 s: t²/2 have arrived after t seconds, 50 in all.
        let plan = Arrivals::ramping(0.0, SECOND, &[stage(10, 10.0)]);
        assert_eq!(plan.start_of(8), Some(Duration::from_secs(4)));
        assert_eq!(plan.start_of(50), None);
        let down = Arrivals::ramping(10.0, SECOND, &[stage(10, 0.0), stage(5, 0.0)]);
        assert!(down.start_of(49).unwrap() < Duration::from_secs(10));
        assert_eq!(down.start_of(50), None);
        assert_eq!(down.end(), Duration::from_secs(15));
    }

    #[test]
    fn a_stage_without_time_is_a_jump() {
        let plan = Arrivals::ramping(1.0, SECOND, &[stage(2, 1.0), stage(0, 10.0), stage(1, 10.0)]);
        assert_eq!(plan.start_of(2), Some(Duration::from_secs(2)));
        assert_eq!(plan.start_of(3), Some(Duration::from_millis(2100)));
        let steps: Vec<_> = vu_steps(1, &[stage(0, 5.0), stage(2, 5.0), stage(2, 3.0)]).collect();
        let at = |millis, count| (Duration::from_millis(millis), count);
        assert_eq!(steps, [at(0, 5), at(3000, 4), at(4000, 3)]);
    }

    #[test]
    fn virtual_users_come_and_go_one_by_one() {
        let steps: Vec<_> = vu_steps(0, &[stage(2, 4.0), stage(1, 2.0)]).collect();
        let at = |millis, count| (Duration::from_millis(millis), count);
        assert_eq!(
            steps,
            [at(500, 1), at(1000, 2), at(1500, 3), at(2000, 4), at(2500, 3), at(3000, 2)]
        );
    }

    proptest! {
        #[test]
        fn arrivals_never_go_back_and_count_up_to_the_integral(
            start_rate in 0_u32..500,
            stages in prop::collection::vec((0_u64..20, 0_u32..500), 1..6),
        ) {
            let stages: Vec<_> =
                stages.into_iter().map(|(s, target)| stage(s, f64::from(target))).collect();
            let plan = Arrivals::ramping(f64::from(start_rate), SECOND, &stages);
            let mut total = 0.0;
            let mut rate = f64::from(start_rate);
            for stage in &stages {
                total += (rate + stage.target) / 2.0 * stage.duration.as_secs_f64();
                rate = stage.target;
            }
            let starts: Vec<_> = (0..).map_while(|i| plan.start_of(i)).collect();
            prop_assert!((starts.len() as f64 - total.ceil()).abs() <= 1.0);
            prop_assert!(starts.is_sorted());
            prop_assert!(starts.last().is_none_or(|last| *last <= plan.end() + Duration::from_micros(1)));
        }

        /// Rates by construction: whatever the plan, the time unit and the number of shards, as many start by any
        /// moment as the plan's integral says, and the shards' starts together are the plan's.
        #[test]
        fn the_shards_starts_are_the_plan_and_the_plan_keeps_its_rate(
            start_rate in 0_u32..2000,
            unit_ms in 100_u64..90_000,
            stages in prop::collection::vec((0_u64..20, 0_u32..2000), 1..5),
            of in 1_u32..7,
        ) {
            let stages: Vec<_> =
                stages.into_iter().map(|(s, target)| stage(s, f64::from(target))).collect();
            let unit = Duration::from_millis(unit_ms);
            let plan = Arrivals::ramping(f64::from(start_rate), unit, &stages);
            let starts: Vec<_> = (0..).map_while(|i| plan.start_of(i)).collect();
            let mut shards = Vec::new();
            for index in 0..of {
                let stripe = Stripe { index, of };
                shards.extend((0..).map_while(|local| plan.start_of(stripe.number(local))));
            }
            shards.sort_unstable();
            prop_assert_eq!(&shards, &starts);
            for second in 0..=plan.end().as_secs() {
                let at = Duration::from_secs(second);
                let started = starts.partition_point(|start| *start < at) as f64;
                prop_assert!((started - plan.arrived(at)).abs() <= 1.0 + 1e-6);
            }
        }

        /// Whoever turns the rate: from then on as many start as the plan's integral says times the factor,
        /// without a jump, and in all shards together every number once.
        #[test]
        fn a_changed_rate_has_neither_a_jump_nor_anything_to_catch_up_with(
            rate in 1_u32..500,
            target in 0_u32..500,
            turns in prop::collection::vec((0_u64..30_000, 0_u32..40, any::<bool>()), 0..6),
            of in 1_u32..5,
        ) {
            let plan = Arrivals::ramping(f64::from(rate), SECOND, &[stage(20, f64::from(target))]);
            let mut changes: Vec<_> = turns
                .into_iter()
                .map(|(at, steps, up)| {
                    let turn = if up { Percent::more } else { Percent::less };
                    let rate = (0..steps).fold(Percent::PLAN, |rate, _| turn(rate));
                    Change { at: Duration::from_millis(at), rate }
                })
                .collect();
            changes.sort_by_key(|change| change.at);
            let starts = |stripe: Stripe| -> Vec<_> {
                let mut paced = Paced::new(plan.clone());
                changes.iter().for_each(|change| paced.change(*change));
                (0..).map_while(|local| paced.start_of(stripe.number(local))).collect()
            };
            let all = starts(Stripe::WHOLE);
            prop_assert!(all.is_sorted());
            let mut shards: Vec<_> =
                (0..of).flat_map(|index| starts(Stripe { index, of })).collect();
            shards.sort_unstable();
            prop_assert_eq!(&shards, &all);
            let mut wanted = 0.0;
            let (mut from, mut factor) = (Duration::ZERO, 1.0);
            let end = Change { at: plan.end(), rate: Percent::PLAN };
            for change in changes.iter().filter(|change| change.at < plan.end()).chain([&end]) {
                wanted += (plan.arrived(change.at) - plan.arrived(from)) * factor;
                let started = all.partition_point(|start| *start < change.at) as f64;
                prop_assert!((started - wanted).abs() <= 1.0 + 1e-6, "{started} for {wanted}");
                (from, factor) = (change.at, change.rate.factor());
            }
        }
    }
}
