//! The interval of a mean by bootstrap. Pure: the seed decides the resamples.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

/// Resamples of an interval.
const RESAMPLES: usize = 10_000;
/// Of the resampled means so much lies below the interval, and so much above: 95 % lie in it.
const TAIL: f64 = 0.025;
/// The normal distribution's quantile for that tail.
const NORMAL: f64 = 1.959_964;

/// A mean and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub mean: f64,
    pub high: f64,
}

/// The interval of the values' mean. `None` without values.
///
/// Percentiles of resampled means are too narrow when there are few values: the resamples' variance lacks the factor
/// n/(n−1), and their tails are the normal distribution's instead of Student's. Both are made good around the mean.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a gate has a few hundred pairs at most")]
pub fn bootstrap(values: &[f64], seed: u64) -> Option<Interval> {
    let n = values.len();
    let mean = mean(values)?;
    if n == 1 {
        return Some(Interval { low: f64::NEG_INFINITY, mean, high: f64::INFINITY });
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut resample = || {
        let sum: f64 = (0..n).map(|_| values[rng.random_range(0..n)]).sum();
        sum / n as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let freedom = n as f64 - 1.0;
    let spread = (n as f64 / freedom).sqrt() * student(freedom) / NORMAL;
    let at = |share: f64| {
        let place = (share * (RESAMPLES as f64 - 1.0)).round() as usize;
        mean + (means[place.min(RESAMPLES - 1)] - mean) * spread
    };
    Some(Interval { low: at(TAIL), mean, high: at(1.0 - TAIL) })
}

/// Student's 97.5 % quantile by the expansion around the normal one (Abramowitz and Stegun 26.7.5): 2.36 for 7
/// degrees of freedom, 2.57 for 5.
fn student(freedom: f64) -> f64 {
    let z = NORMAL;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[expect(clippy::cast_precision_loss, reason = "a gate has a few hundred pairs at most")]
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = [0.1, -0.2, 0.05, 0.3, 0.0, 0.12];
        assert_eq!(bootstrap(&values, 7), bootstrap(&values, 7));
        assert_ne!(bootstrap(&values, 7), bootstrap(&values, 8));
        assert_eq!(bootstrap(&[], 7), None);
    }

    #[test]
    fn one_value_says_nothing_of_chance() {
        let interval = bootstrap(&[0.5], 1).unwrap();
        assert!(interval.low.is_infinite() && interval.high.is_infinite());
    }

    #[test]
    fn few_values_get_students_tails() {
        for (freedom, quantile) in [(5.0, 2.571), (7.0, 2.365), (20.0, 2.086), (1000.0, 1.962)] {
            assert!((student(freedom) - quantile).abs() < 0.005, "{freedom}: {}", student(freedom));
        }
    }

    /// Means of eight values around 0: at least nine in ten intervals must hold it.
    #[test]
    fn most_intervals_hold_the_truth() {
        let mut rng = StdRng::seed_from_u64(42);
        let holds = |_: &u64| {
            let noise = |_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            let values: Vec<f64> = (0..8).map(noise).collect();
            let interval = bootstrap(&values, 1).unwrap();
            interval.low <= 0.0 && interval.high >= 0.0
        };
        let held = (0..200_u64).filter(holds).count();
        assert!((180..=200).contains(&held), "{held} of 200");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn an_interval_holds_its_mean_within_the_values_reach(
            values in prop::collection::vec(-1.0..1.0_f64, 2..30), seed: u64,
        ) {
            let interval = bootstrap(&values, seed).unwrap();
            prop_assert!(interval.low <= interval.mean + 1e-9 && interval.mean <= interval.high + 1e-9);
            let moved: Vec<f64> = values.iter().map(|value| value + 5.0).collect();
            let moved = bootstrap(&moved, seed).unwrap();
            prop_assert!((moved.low - interval.low - 5.0).abs() < 1e-9);
        }
    }
}
