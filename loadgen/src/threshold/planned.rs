//! What a threshold has to know of the plan: the stretch of time that it is about, and the rate planned for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::course::Change;
use crate::scenario::{Executor, Scenario};

/// A stretch of a phase's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub from: Duration,
    pub to: Duration,
}

impl Stretch {
    #[must_use]
    pub fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// Both, and what lies between them.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

/// Planned arrivals over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlannedRate {
    legs: Vec<Leg>,
    /// From each moment on, the factor on the rate, when somebody has turned it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<(f64, f64)>,
}

/// A stretch with a rate that changes evenly. Seconds since the phase began, arrivals a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Leg {
    start: f64,
    end: f64,
    from: f64,
    to: f64,
}

impl PlannedRate {
    /// Of these scenarios together; empty where none has an arrival rate.
    #[must_use]
    pub fn of<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Self {
        Self { legs: scenarios.flat_map(legs).collect(), changes: Vec::new() }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Arrivals planned within a stretch of time.
    #[must_use]
    pub fn arrivals(&self, span: Stretch) -> f64 {
        let (first, last) = (span.from.as_secs_f64(), span.to.as_secs_f64());
        let ends = self.changes.iter().map(|(at, _)| *at).chain([f64::INFINITY]);
        let starts = [(0.0, 1.0)].into_iter().chain(self.changes.iter().copied());
        let part = |((start, factor), end): ((f64, f64), f64)| {
            let (from, to) = (first.max(start), last.min(end));
            let planned: f64 = self.legs.iter().map(|leg| leg.arrivals(from, to)).sum();
            planned * factor
        };
        starts.zip(ends).map(part).sum()
    }

    /// Goes along with what somebody has done to the rate.
    pub fn follow(&mut self, changes: &[Change]) {
        let change = |change: &Change| (change.at.as_secs_f64(), change.rate.factor());
        self.changes = changes.iter().map(change).collect();
    }

    /// The highest rate, per second. Rates are straight lines, so it lies where one of them begins or ends.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let at = |second: f64, ends: bool| -> f64 {
            let runs = |leg: &&Leg| {
                if ends {
                    leg.start < second && second <= leg.end
                } else {
                    leg.start <= second && second < leg.end
                }
            };
            self.legs.iter().filter(runs).map(|leg| leg.rate_at(second)).sum()
        };
        let edges = self.legs.iter().flat_map(|leg| [at(leg.start, false), at(leg.end, true)]);
        edges.fold(0.0, f64::max)
    }

    /// Multiplies every rate.
    pub(crate) fn scale(&mut self, factor: f64) {
        for leg in &mut self.legs {
            leg.from *= factor;
            leg.to *= factor;
        }
    }
}

impl Leg {
    fn arrivals(&self, from: f64, to: f64) -> f64 {
        let (from, to) = (from.max(self.start), to.min(self.end));
        if to <= from {
            return 0.0;
        }
        self.rate_at(f64::midpoint(from, to)) * (to - from)
    }

    fn rate_at(&self, second: f64) -> f64 {
        let slope = (self.to - self.from) / (self.end - self.start);
        self.from + slope * (second - self.start)
    }
}

fn legs(scenario: &Scenario) -> Vec<Leg> {
    let mut start = scenario.start_time.as_secs_f64();
    match &scenario.executor {
        Executor::ConstantArrivalRate { rate, time_unit, duration, .. } => {
            let rate = rate / time_unit.as_secs_f64();
            vec![Leg { start, end: start + duration.as_secs_f64(), from: rate, to: rate }]
        }
        Executor::RampingArrivalRate { start_rate, time_unit, stages, .. } => {
            let unit = time_unit.as_secs_f64();
            let mut from = start_rate / unit;
            let mut legs = Vec::new();
            for stage in stages {
                let (end, to) = (start + stage.duration.as_secs_f64(), stage.target / unit);
                // A stage without time is a jump of the rate.
                if end > start {
                    legs.push(Leg { start, end, from, to });
                }
                (start, from) = (end, to);
            }
            legs
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Percent;

    #[test]
    fn a_rate_that_was_turned_changes_the_plan_from_then_on() {
        let mut planned = PlannedRate {
            legs: vec![Leg { start: 0.0, end: 10.0, from: 0.0, to: 100.0 }],
            changes: Vec::new(),
        };
        let whole = Stretch { from: Duration::ZERO, to: Duration::from_secs(10) };
        assert_eq!(planned.arrivals(whole), 500.0);
        let at = Duration::from_secs(5);
        planned.follow(&[Change { at, rate: Percent::HIGHEST }]);
        assert_eq!(planned.arrivals(whole), 125.0 + 3750.0);
        assert_eq!(planned.arrivals(Stretch { from: at, to: at * 2 }), 3750.0);
        assert_eq!(planned.peak(), 100.0, "the plan's own");
    }
}
