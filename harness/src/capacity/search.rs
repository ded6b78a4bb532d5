//! Where the highest rate is looked for. Pure: told how each attempt went, it says what to try next.
//!
//! It goes up from the lowest rate, by a step or by doubling, until an attempt does not hold, and then halves what
//! lies between until that is as small as wanted. What does not hold is tried once more, since a shared machine may
//! have lent its time to others; what could not be measured is tried again, and ends the search when it cannot be
//! measured either.

/// An attempt that crossed a threshold is made so often before it counts.
const ATTEMPTS: u32 = 2;
/// An attempt whose measurement was not valid, likewise.
const MEASUREMENTS: u32 = 3;

/// What is looked for, and how. Rates per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
    /// By how much to go up; none: to the double.
    pub step: Option<u64>,
    /// How near the highest rate that holds and the lowest that does not are to come.
    pub precision: u64,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    Holds,
    Crossed,
    /// The generator was too slow to be believed.
    Invalid,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Try(u64),
    /// The highest rate that held, and the lowest that did not.
    Found {
        holds: u64,
        crossed: u64,
    },
    /// Everything held, up to this rate.
    AllHeld(u64),
    /// Nothing held, down to this rate.
    NoneHeld(u64),
    /// At this rate nothing could be measured. The highest rate that held, if any did.
    Unmeasured {
        rate: u64,
        holds: Option<u64>,
    },
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    range: Range,
    holds: Option<u64>,
    crossed: Option<u64>,
    rate: u64,
    /// Of `rate`.
    attempts: u32,
    measurements: u32,
    unmeasured: bool,
}

impl Search {
    #[must_use]
    pub fn new(range: Range) -> Self {
        Self {
            range,
            holds: None,
            crossed: None,
            rate: range.from,
            attempts: 0,
            measurements: 0,
            unmeasured: false,
        }
    }

    #[must_use]
    pub fn next(&self) -> Next {
        if self.unmeasured {
            return Next::Unmeasured { rate: self.rate, holds: self.holds };
        }
        match (self.holds, self.crossed) {
            (Some(holds), None) if holds >= self.range.to => Next::AllHeld(holds),
            (Some(holds), Some(crossed)) if self.is_near(holds, crossed) => {
                Next::Found { holds, crossed }
            }
            (None, Some(crossed)) if crossed <= self.range.precision.max(1) => {
                Next::NoneHeld(crossed)
            }
            _ => Next::Try(self.rate),
        }
    }

    /// Takes in how the attempt at the rate that was to be tried went.
    pub fn record(&mut self, attempt: Attempt) {
        match attempt {
            Attempt::Invalid => {
                self.measurements += 1;
                self.unmeasured = self.measurements >= MEASUREMENTS;
                return;
            }
            Attempt::Crossed => {
                self.attempts += 1;
                if self.attempts < ATTEMPTS {
                    return;
                }
                self.crossed = Some(self.rate);
            }
            Attempt::Holds => self.holds = Some(self.rate),
        }
        (self.attempts, self.measurements) = (0, 0);
        self.rate = match (self.holds, self.crossed) {
            (Some(holds), None) => self.up(holds).min(self.range.to),
            (holds, Some(crossed)) => self.between(holds.unwrap_or(0), crossed),
            (None, None) => self.range.from,
        };
    }

    fn up(&self, from: u64) -> u64 {
        self.range.step.map_or(from.saturating_mul(2), |step| from.saturating_add(step.max(1)))
    }

    fn is_near(&self, holds: u64, crossed: u64) -> bool {
        crossed - holds <= self.range.precision.max(1)
    }

    /// The middle, on a whole multiple of the precision where one lies between.
    fn between(&self, low: u64, high: u64) -> u64 {
        let middle = u64::midpoint(low, high);
        let precision = self.range.precision.max(1);
        let round = middle - middle % precision;
        if round > low { round } else { middle.max(low + 1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANGE: Range = Range { from: 1000, to: 20_000, step: None, precision: 100 };

    /// Searches a machine that carries so many; gives the end and the rates that were tried.
    fn search(range: Range, carries: u64) -> (Next, Vec<u64>) {
        let mut search = Search::new(range);
        let mut tried = Vec::new();
        loop {
            let Next::Try(rate) = search.next() else { return (search.next(), tried) };
            tried.push(rate);
            assert!(tried.len() < 200, "it does not end: {tried:?}");
            search.record(if rate <= carries { Attempt::Holds } else { Attempt::Crossed });
        }
    }

    #[test]
    fn it_doubles_and_then_halves_and_tries_again_what_does_not_hold() {
        let (end, tried) = search(RANGE, 2950);
        assert_eq!(end, Next::Found { holds: 2900, crossed: 3000 });
        assert_eq!(tried, [1000, 2000, 4000, 4000, 3000, 3000, 2500, 2700, 2800, 2900]);
    }

    #[test]
    fn steps_are_taken_one_by_one() {
        let (end, tried) = search(Range { step: Some(500), precision: 500, ..RANGE }, 2100);
        assert_eq!(end, Next::Found { holds: 2000, crossed: 2500 });
        assert_eq!(tried, [1000, 1500, 2000, 2500, 2500]);
    }

    #[test]
    fn the_ends_of_the_range_are_told() {
        assert_eq!(
            search(RANGE, 90_000),
            (Next::AllHeld(20_000), vec![1000, 2000, 4000, 8000, 16_000, 20_000])
        );
        let (end, tried) = search(RANGE, 0);
        assert_eq!(end, Next::NoneHeld(100));
        assert_eq!(tried, [1000, 1000, 500, 500, 200, 200, 100, 100]);
    }

    #[test]
    fn a_crossed_threshold_counts_only_when_it_is_crossed_again() {
        let mut search = Search::new(RANGE);
        search.record(Attempt::Crossed);
        assert_eq!(search.next(), Next::Try(1000));
        search.record(Attempt::Holds);
        assert_eq!(search.next(), Next::Try(2000));
    }

    #[test]
    fn what_cannot_be_measured_is_tried_again_and_ends_the_search() {
        let mut search = Search::new(RANGE);
        search.record(Attempt::Invalid);
        search.record(Attempt::Holds);
        search.record(Attempt::Invalid);
        search.record(Attempt::Crossed);
        search.record(Attempt::Invalid);
        assert_eq!(search.next(), Next::Try(2000));
        search.record(Attempt::Invalid);
        assert_eq!(search.next(), Next::Unmeasured { rate: 2000, holds: Some(1000) });
    }

    proptest! {
        #[test]
        fn whatever_a_machine_carries_is_found_as_exactly_as_wanted(
            from in 1_u64..3000,
            more in 0_u64..30_000,
            step in prop::option::of(1_u64..5000),
            precision in 1_u64..500,
            carries in 0_u64..40_000,
        ) {
            // Of a small step over a long way there are more attempts than a person waits for.
            let step = step.map(|step| step.max(more / 50));
            let to = from + more;
            let (end, tried) = search(Range { from, to, step, precision }, carries);
            prop_assert!(tried.iter().all(|rate| *rate <= to));
            match end {
                Next::Found { holds, crossed } => {
                    prop_assert!(holds <= carries && carries < crossed);
                    prop_assert!(crossed - holds <= precision);
                }
                Next::AllHeld(rate) => prop_assert!(rate == to && to <= carries),
                Next::NoneHeld(rate) => prop_assert!(carries < rate && rate <= precision),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
