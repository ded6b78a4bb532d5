//! The interval of a mean by bootstrap. Pure: the seed decides the resamples.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

/// Resamples of an interval.
const RESAMPLES: usize = 10_000;
/// Of the resampled means so much lies below the interval, and so much above: 95 % lie in it.
const TAIL: f64 = 0.025;

/// A mean and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub mean: f64,
    pub high: f64,
}

/// The interval of the values' mean. `None` without values.
///
/// Percentiles of resampled means are a little too narrow when there are few values; they are spread as Student's
/// factor would be, `√(n/(n−1))`, around the mean.
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
    let spread = (n as f64 / (n as f64 - 1.0)).sqrt();
    let at = |share: f64| {
        let place = (share * (RESAMPLES as f64 - 1.0)).round() as usize;
        mean + (means[place.min(RESAMPLES - 1)] - mean) * spread
    };
    Some(Interval { low: at(TAIL), mean, high: at(1.0 - TAIL) })
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
