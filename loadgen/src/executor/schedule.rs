//! When iterations are meant to start. Pure arithmetic: iteration `i` has one moment, whatever
//! happened to those before it, so that nothing drifts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::Stage;

/// The part of the work that one shard does: every `of`-th, beginning with `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stripe {
    pub index: u32,
    pub of: u32,
}

impl Stripe {
    /// How many of `count` things belong to this shard.
    #[must_use]
    pub fn share(self, count: u32) -> u32 {
        (count + self.of - 1 - self.index) / self.of
    }

    /// The number, over all shards, of this shard's `local`th iteration.
    #[must_use]
    pub fn number(self, local: u64) -> u64 {
        local * u64::from(self.of) + u64::from(self.index)
    }
}

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
        let count = i as f64;
        let leg = self.legs.iter().find(|leg| count < leg.before + leg.arrivals())?;
        Some(Duration::from_secs_f64(leg.start + leg.time_of(count - leg.before)))
    }

    /// When the plan is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        let end = self.legs.last().map_or(0.0, |leg| leg.start + leg.seconds);
        Duration::from_secs_f64(end)
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

        #[test]
        fn stripes_share_without_gap_or_overlap(count in 0_u32..10_000, of in 1_u32..9) {
            let shares = (0..of).map(|index| Stripe { index, of }.share(count));
            prop_assert_eq!(shares.sum::<u32>(), count);
            let numbers = (0..of).flat_map(|index| {
                let stripe = Stripe { index, of };
                (0..u64::from(stripe.share(count))).map(move |local| stripe.number(local))
            });
            let mut numbers: Vec<_> = numbers.collect();
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(0..u64::from(count)));
        }
    }
}
