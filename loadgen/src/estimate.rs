//! What a scenario will come to, as far as its plan says: for people who look before they start it.

use crate::scenario::{Executor, Phase, Scenario};
use crate::threshold::PlannedRate;

/// A load process with an empty plan: runtime, journal, histograms.
const BASE_BYTES: u64 = 20_000_000;
/// A virtual user with its connection, and a WebSocket when it holds one.
const BYTES_PER_VU: u64 = 10_000;

/// How many iterations a scenario starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Iterations {
    /// By its plan, if no user is lacking.
    Planned(f64),
    /// As many as its users get done.
    Open,
}

/// Of one scenario.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a plan's iterations stay far below 2^52")]
pub fn iterations(scenario: &Scenario) -> Iterations {
    match &scenario.executor {
        Executor::ConstantArrivalRate { .. } | Executor::RampingArrivalRate { .. } => {
            let planned = PlannedRate::of(std::iter::once(scenario));
            Iterations::Planned(planned.arrivals(scenario.span()).ceil())
        }
        Executor::PerVuIterations { vus, iterations, .. } => {
            Iterations::Planned(f64::from(*vus) * *iterations as f64)
        }
        Executor::SharedIterations { iterations, .. } => Iterations::Planned(*iterations as f64),
        Executor::ConstantVus { .. } | Executor::RampingVus { .. } => Iterations::Open,
    }
}

/// The highest rate at which iterations are to start, per second; 0 where no scenario has a rate.
#[must_use]
pub fn peak_rate(phase: &Phase) -> f64 {
    let planned = PlannedRate::of(phase.scenarios.iter());
    planned.peak()
}

/// Virtual users at most, of all scenarios together.
#[must_use]
pub fn peak_vus(phase: &Phase) -> u64 {
    phase.scenarios.iter().map(|scenario| u64::from(scenario.executor.max_vus())).sum()
}

/// Memory of all load processes together, at most, roughly.
#[must_use]
pub fn memory_bytes(phase: &Phase, shards: u64) -> u64 {
    BASE_BYTES * shards.max(1) + BYTES_PER_VU * peak_vus(phase)
}
