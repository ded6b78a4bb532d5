//! How sure a difference between two measurements is. Pure.
//!
//! All of it speaks of chance within one run: it takes samples for independent and knows nothing of what makes
//! two runs of the same build differ. `gate` measures that, by running both builds many times.

use crate::metrics::{RateTotal, TrendTotal};

/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.959_964;
/// Histograms keep three digits: closer values cannot be told apart.
const RESOLUTION: f64 = 0.002;

/// A value, and where it lies with 95 % confidence. An end that the samples do not reach is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// What can be said of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Lower,
    Higher,
    Unclear,
}

/// A percentile with its interval by order statistics: how many samples lie below it is binomial, so its rank is
/// known within `z·√(n·q·(1−q))`, and the values at those ranks bound it.
#[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
pub(super) fn percentile(trend: &TrendTotal, percentile: f64) -> Estimate {
    let (n, q) = (trend.count() as f64, percentile / 100.0);
    let reach = Z * (n * q * (1.0 - q)).sqrt();
    let at_rank = |rank: f64| {
        (1.0..=n).contains(&rank).then(|| trend.percentile_ms(100.0 * (rank / n).min(1.0)))
    };
    Estimate {
        value: trend.percentile_ms(percentile),
        low: at_rank((n * q - reach).floor()),
        high: at_rank((n * q + reach).ceil() + 1.0),
    }
}

/// Events per second: their number is Poisson.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn per_second(count: u64, seconds: f64) -> Estimate {
    let (count, seconds) = (count as f64, seconds.max(f64::MIN_POSITIVE));
    let reach = Z * count.max(1.0).sqrt();
    Estimate {
        value: count / seconds,
        low: Some((count - reach).max(0.0) / seconds),
        high: Some((count + reach) / seconds),
    }
}

/// A share with Wilson's interval, which holds for few samples and near 0 and 1, too.
#[expect(clippy::cast_precision_loss, reason = "sample counts stay far below 2^52")]
pub(super) fn share(rate: RateTotal) -> Estimate {
    let (n, p) = (rate.total.max(1) as f64, rate.share());
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let reach = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (low, high) = ((middle - reach).max(0.0), (middle + reach).min(1.0));
    Estimate { value: p, low: Some(low.min(p)), high: Some(high.max(p)) }
}

/// Whether `b` differs from `a` by more than chance within the runs explains. The squares of the two distances
/// to the nearer ends add up, as variances do.
pub(super) fn difference(a: Estimate, b: Estimate) -> Difference {
    let apart = b.value - a.value;
    if apart.abs() <= RESOLUTION * a.value.abs().max(b.value.abs()) {
        return Difference::Unclear;
    }
    let toward = |from: Estimate, up: bool| {
        let end = if up { from.high } else { from.low };
        end.map(|end| (end - from.value).abs())
    };
    let up = apart > 0.0;
    let (Some(of_a), Some(of_b)) = (toward(a, up), toward(b, !up)) else {
        return Difference::Unclear;
    };
    match apart.abs() > of_a.hypot(of_b) {
        true if up => Difference::Higher,
        true => Difference::Lower,
        false => Difference::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{LoadState, Registry};

    fn trend(millis: impl Iterator<Item = u64>) -> TrendTotal {
        let registry = Registry::new();
        let id = registry.trend("t", &[]);
        millis.for_each(|ms| registry.observe(id, Duration::from_millis(ms)));
        let mut load = LoadState::new();
        load.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("a sound snapshot");
        load.trend("t", &[])
    }

    #[test]
    fn a_medians_interval_is_that_of_the_textbook() {
        // 100 samples: the median lies between the 40th and the 61st.
        let estimate = percentile(&trend(1..=100), 50.0);
        let near =
            |value: Option<f64>, wanted: f64| (value.unwrap_or_default() - wanted).abs() < 0.1;
        assert!(near(estimate.low, 40.0) && near(estimate.high, 61.0), "{estimate:?}");
    }

    #[test]
    fn a_percentile_that_the_samples_do_not_reach_is_open_and_proves_nothing() {
        let few = percentile(&trend(1..=100), 99.0);
        assert_eq!(few.high, None, "{few:?}");
        let slow = percentile(&trend(101..=200), 99.0);
        assert_eq!(difference(few, slow), Difference::Unclear);
        let many = percentile(&trend((0..10_000).map(|at| at % 100 + 1)), 99.0);
        let slower = percentile(&trend((0..10_000).map(|at| at % 100 + 101)), 99.0);
        assert_eq!(difference(many, slower), Difference::Higher);
        assert_eq!(difference(slower, many), Difference::Lower);
    }

    #[test]
    fn what_chance_explains_is_unclear() {
        assert_eq!(difference(per_second(1000, 10.0), per_second(1040, 10.0)), Difference::Unclear);
        assert_eq!(difference(per_second(1000, 10.0), per_second(1200, 10.0)), Difference::Higher);
        let failed = |passes| share(RateTotal { passes, total: 1000 });
        assert_eq!(difference(failed(0), failed(2)), Difference::Unclear);
        assert_eq!(difference(failed(0), failed(30)), Difference::Higher);
        assert_eq!(difference(failed(0), failed(0)), Difference::Unclear);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_value_and_nothing_differs_from_itself(
            millis in prop::collection::vec(1..100_000_u64, 1..300),
            at in 0.1..99.9_f64,
        ) {
            let estimate = percentile(&trend(millis.into_iter()), at);
            prop_assert!(estimate.low.is_none_or(|low| low <= estimate.value), "{estimate:?}");
            prop_assert!(estimate.high.is_none_or(|high| high >= estimate.value), "{estimate:?}");
            prop_assert_eq!(difference(estimate, estimate), Difference::Unclear);
        }

        #[test]
        fn swapping_two_values_turns_the_difference_around(
            a in 1..2000_u64, b in 1..2000_u64,
        ) {
            let (a, b) = (per_second(a, 7.0), per_second(b, 7.0));
            let turned = match difference(b, a) {
                Difference::Lower => Difference::Higher,
                Difference::Higher => Difference::Lower,
                Difference::Unclear => Difference::Unclear,
            };
            prop_assert_eq!(difference(a, b), turned);
        }
    }
}
