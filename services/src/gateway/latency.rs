//! How long a charge takes: lognormal, as times of services over networks are.

use std::time::Duration;

use anyhow::{Context, ensure};
use rand::Rng;
use rand_distr::{Distribution, LogNormal};

/// How many standard deviations the 99th percentile of a normal distribution lies above its median.
const P99_DEVIATIONS: f64 = 2.326_347_874_040_841;

/// The longest that one charge takes, however far out the tail is sampled.
const LONGEST: Duration = Duration::from_secs(5);

/// A distribution of times, given by two of its percentiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency(Option<LogNormal<f64>>);

impl Latency {
    /// # Errors
    /// When the 99th percentile is below the median.
    pub(super) fn new(median_ms: f64, p99_ms: f64) -> anyhow::Result<Self> {
        if median_ms <= 0.0 {
            return Ok(Self(None));
        }
        ensure!(
            p99_ms >= median_ms,
            "--latency-p99-ms {p99_ms} is below --latency-median-ms {median_ms}"
        );
        let deviation = (p99_ms / median_ms).ln() / P99_DEVIATIONS;
        let distribution =
            LogNormal::new(median_ms.ln(), deviation).context("no such distribution of times")?;
        Ok(Self(Some(distribution)))
    }

    /// The time that the next charge takes.
    pub(super) fn sample(&self, rng: &mut impl Rng) -> Duration {
        let Some(distribution) = &self.0 else { return Duration::ZERO };
        let seconds = distribution.sample(rng) / 1000.0;
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::rng;

    #[test]
    fn the_percentiles_are_those_asked_for() {
        let latency = Latency::new(20.0, 100.0).unwrap();
        let mut rng = rng::seeded(7);
        let mut samples: Vec<_> = (0..100_000).map(|_| latency.sample(&mut rng)).collect();
        samples.sort();
        let at = |share: usize| samples[samples.len() * share / 100].as_secs_f64() * 1000.0;
        assert!((19.5..20.5).contains(&at(50)), "{}", at(50));
        assert!((95.0..105.0).contains(&at(99)), "{}", at(99));
    }

    #[test]
    fn no_median_is_no_latency_and_contradictions_are_refused() {
        let none = Latency::new(0.0, 100.0).unwrap();
        assert_eq!(none.sample(&mut rng::seeded(1)), Duration::ZERO);
        assert!(Latency::new(20.0, 10.0).is_err());
    }
}
