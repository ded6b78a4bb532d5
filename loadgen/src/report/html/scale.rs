//! From values to places on an axis, and the values that are written beside it. Pure.

/// An axis has at most about so many ticks; of time, whose labels are wider, fewer.
const TICKS: f64 = 6.0;
const TIME_TICKS: f64 = 5.0;
/// Where the highest value is so many times the lowest, steps of ten tell more than a straight axis.
const LOG_FROM_RATIO: f64 = 12.0;
/// Decades of a logarithmic axis at most; what is lower stands at its foot.
const MAX_DECADES: f64 = 5.0;
/// Steps in seconds at which a clock is read.
const TIME_STEPS: [f64; 16] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    14_400.0, 43_200.0,
];

/// One axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From 0.
    Linear { max: f64 },
    /// From 0, in seconds.
    Time { max: f64 },
    /// In steps of ten.
    Log { min: f64, max: f64 },
    /// Percentiles from 0 on, by how few samples lie beyond: 90, 99, 99.9 … at equal distances.
    Percentile { nines: f64 },
}

impl Scale {
    /// For values from 0 on.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let max = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let max = if max > 0.0 { max } else { 1.0 };
        let step = nice_step(max / TICKS);
        Self::Linear { max: (max / step).ceil() * step }
    }

    /// For durations: straight while they are alike, logarithmic where they are not.
    pub(super) fn of_times(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.clone().filter(|value| value.is_finite() && *value > 0.0);
        let (min, max) = positive
            .fold((f64::MAX, 0.0_f64), |(min, max), value| (min.min(value), max.max(value)));
        if max <= 0.0 || max / min < LOG_FROM_RATIO {
            return Self::linear(values);
        }
        let max = 10_f64.powf((max.log10() * 4.0).ceil() / 4.0);
        let min = 10_f64.powf((min.log10() * 4.0).floor() / 4.0);
        Self::Log { min: min.max(max / 10_f64.powf(MAX_DECADES)), max }
    }

    /// Where a value stands, 0 to 1.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { max } | Self::Time { max } => value / max,
            Self::Log { min, max } => {
                (value.max(min).log10() - min.log10()) / (max.log10() - min.log10())
            }
            Self::Percentile { nines } => nines_of(value) / nines,
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The values to write beside the axis.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { max } => steps(nice_step(max / TICKS), max),
            Self::Time { max } => {
                let wanted = max / TIME_TICKS;
                let last = TIME_STEPS[TIME_STEPS.len() - 1];
                steps(TIME_STEPS.into_iter().find(|step| *step >= wanted).unwrap_or(last), max)
            }
            Self::Log { min, max } => log_ticks(min, max),
            Self::Percentile { nines } => [50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
                .into_iter()
                .filter(|percentile| nines_of(*percentile) <= nines + 1e-9)
                .collect(),
        }
    }
}

/// How many nines a percentile has: 90 has one, 99.9 three.
fn nines_of(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-9).log10()
}

/// The percentile with so many nines.
pub(super) fn percentile_of(nines: f64) -> f64 {
    100.0 * (1.0 - 10_f64.powf(-nines))
}

fn steps(step: f64, max: f64) -> Vec<f64> {
    // The bound is far above what `nice_step` gives, and holds for any input.
    (0..=64_u32)
        .map(|at| f64::from(at) * step)
        .take_while(|tick| *tick <= max * 1.000_001)
        .collect()
}

/// 1, 2 or 5 times a power of ten, not below `raw`.
fn nice_step(raw: f64) -> f64 {
    let magnitude = 10_f64.powf(raw.log10().floor());
    let factor =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * magnitude >= raw * 0.999_999);
    factor.unwrap_or(10.0) * magnitude
}

/// Powers of ten; with 2 and 5 times them where there are few.
fn log_ticks(min: f64, max: f64) -> Vec<f64> {
    let (low, high) = (min.log10().floor() as i32, max.log10().ceil() as i32);
    let wide = max.log10() - min.log10() > 2.5;
    let factors: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = (low..=high).map(|exponent| 10_f64.powi(exponent));
    decades
        .flat_map(|decade| factors.iter().map(move |factor| factor * decade))
        .filter(|tick| (min * 0.999..=max * 1.001).contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_what_people_would_write() {
        assert_eq!(
            Scale::linear([3.0, 984.0].into_iter()).ticks(),
            [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
        );
        assert_eq!(Scale::Time { max: 60.0 }.ticks(), [0.0, 15.0, 30.0, 45.0, 60.0]);
        let wide = Scale::of_times([0.3, 2500.0].into_iter());
        assert_eq!(wide.ticks(), [1.0, 10.0, 100.0, 1000.0]);
        let alike = Scale::of_times([2.0, 8.0].into_iter());
        assert_eq!(alike, Scale::Linear { max: 8.0 });
        assert_eq!(Scale::Percentile { nines: 4.0 }.ticks(), [50.0, 90.0, 99.0, 99.9, 99.99]);
        assert!((Scale::Percentile { nines: 4.0 }.place(99.0) - 0.5).abs() < 1e-9);
        assert!((percentile_of(3.0) - 99.9).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_an_axis_too() {
        assert_eq!(Scale::linear(std::iter::empty()), Scale::Linear { max: 1.0 });
        assert_eq!(Scale::of_times([f64::NAN, 0.0].into_iter()), Scale::Linear { max: 1.0 });
        assert_eq!(Scale::Linear { max: 1.0 }.place(f64::NAN), 0.0);
    }

    proptest! {
        #[test]
        fn every_value_stands_within_its_axis_and_in_order(
            values in prop::collection::vec(1e-3..1e9_f64, 1..20),
        ) {
            for scale in [Scale::linear(values.iter().copied()), Scale::of_times(values.iter().copied())] {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let places: Vec<f64> = sorted.iter().map(|value| scale.place(*value)).collect();
                prop_assert!(places.is_sorted(), "{places:?}");
                prop_assert!(places.iter().all(|place| (0.0..=1.0).contains(place)));
                prop_assert!((1..=20).contains(&scale.ticks().len()), "{:?}", scale.ticks());
            }
        }
    }
}
