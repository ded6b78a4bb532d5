//! The executors and their options, as k6 names and checks them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reader::TableReader;
use crate::course::Percent;

/// More virtual users than this on one machine is a slip of the finger.
const MOST_VUS: u32 = 1_000_000;
/// Likewise, iterations per second.
const HIGHEST_RATE: f64 = 10_000_000.0;

/// How iterations are started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Executor {
    ConstantArrivalRate { rate: f64, time_unit: Duration, duration: Duration, vus: VuRange },
    RampingArrivalRate { start_rate: f64, time_unit: Duration, stages: Vec<Stage>, vus: VuRange },
    ConstantVus { vus: u32, duration: Duration },
    RampingVus { start_vus: u32, stages: Vec<Stage>, graceful_ramp_down: Duration },
    PerVuIterations { vus: u32, iterations: u64, max_duration: Duration },
    SharedIterations { vus: u32, iterations: u64, max_duration: Duration },
}

/// The target is reached at the end of the stage, in a straight line from the target before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub duration: Duration,
    /// Iterations per time unit, or virtual users.
    pub target: f64,
}

/// Virtual users to begin with, and how many there may ever be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VuRange {
    pub pre_allocated: u32,
    pub max: u32,
}

/// k6's names of the executors.
pub const NAMES: [&str; 6] = [
    "constant-arrival-rate",
    "ramping-arrival-rate",
    "constant-vus",
    "ramping-vus",
    "per-vu-iterations",
    "shared-iterations",
];

/// Each stage's `name`, in the order of the stages.
pub(super) type StageNames = Vec<Option<String>>;

/// Reads `executor` and the options that belong to it.
pub(super) fn executor(reader: &mut TableReader<'_>, names: &mut StageNames) -> Option<Executor> {
    let Some(name) = reader.choice("executor", &NAMES, None) else {
        reader.tolerate_unknown_keys();
        return None;
    };
    let executor = match name {
        "constant-arrival-rate" => Executor::ConstantArrivalRate {
            rate: rate(reader, "rate"),
            time_unit: time_unit(reader),
            duration: some_time(reader, "duration"),
            vus: vu_range(reader),
        },
        "ramping-arrival-rate" => Executor::RampingArrivalRate {
            start_rate: start_rate(reader),
            time_unit: time_unit(reader),
            stages: stages(reader, HIGHEST_RATE, names),
            vus: vu_range(reader),
        },
        "constant-vus" => {
            Executor::ConstantVus { vus: vus(reader), duration: some_time(reader, "duration") }
        }
        "ramping-vus" => ramping_vus(reader, names),
        "per-vu-iterations" => {
            let (vus, iterations, max_duration) = iterations(reader);
            Executor::PerVuIterations { vus, iterations, max_duration }
        }
        _ => {
            let (vus, iterations, max_duration) = iterations(reader);
            let enough = iterations >= u64::from(vus);
            reader.ensure("iterations", enough, "must not be fewer than the virtual users");
            Executor::SharedIterations { vus, iterations, max_duration }
        }
    };
    Some(executor)
}

fn rate(reader: &mut TableReader<'_>, key: &'static str) -> f64 {
    let rate = reader.required(key);
    reader.ensure(key, rate > 0.0, "must be above 0");
    reader.ensure(key, rate <= HIGHEST_RATE, "must be at most 10 million");
    rate
}

fn start_rate(reader: &mut TableReader<'_>) -> f64 {
    let rate = reader.or("startRate", 0.0);
    reader.ensure("startRate", (0.0..=HIGHEST_RATE).contains(&rate), "must not be negative");
    rate
}

fn time_unit(reader: &mut TableReader<'_>) -> Duration {
    let unit = reader.or("timeUnit", Duration::from_secs(1));
    reader.ensure("timeUnit", !unit.is_zero(), "must be longer than nothing");
    unit
}

fn some_time(reader: &mut TableReader<'_>, key: &'static str) -> Duration {
    let duration: Duration = reader.required(key);
    reader.ensure(key, !duration.is_zero(), "must be longer than nothing");
    duration
}

fn vus(reader: &mut TableReader<'_>) -> u32 {
    let vus = reader.or("vus", 1);
    reader.ensure("vus", (1..=MOST_VUS).contains(&vus), "must lie between 1 and 1,000,000");
    vus
}

fn vu_range(reader: &mut TableReader<'_>) -> VuRange {
    let pre_allocated = reader.required("preAllocatedVUs");
    let max = reader.or("maxVUs", pre_allocated);
    let message = "must lie between 1 and 1,000,000";
    if reader.has("maxVUs") {
        // All of them may come when they are needed.
        let most = "must be at most 1,000,000";
        reader.ensure("preAllocatedVUs", pre_allocated <= MOST_VUS, most);
        reader.ensure("maxVUs", (1..=MOST_VUS).contains(&max), message);
        reader.ensure("maxVUs", max >= pre_allocated, "must not be below preAllocatedVUs");
    } else {
        let allowed = (1..=MOST_VUS).contains(&pre_allocated);
        reader.ensure("preAllocatedVUs", allowed, message);
    }
    VuRange { pre_allocated, max }
}

fn ramping_vus(reader: &mut TableReader<'_>, names: &mut StageNames) -> Executor {
    let start_vus = reader.or("startVUs", 1);
    reader.ensure("startVUs", start_vus <= MOST_VUS, "must be at most 1,000,000");
    let stages = stages(reader, f64::from(MOST_VUS), names);
    let graceful_ramp_down = reader.or("gracefulRampDown", Duration::from_secs(30));
    let some = start_vus > 0 || stages.iter().any(|stage| stage.target > 0.0);
    reader.ensure("stages", some, "never ask for a virtual user");
    Executor::RampingVus { start_vus, stages, graceful_ramp_down }
}

/// Of a scenario that has a number of them: users, iterations, and how long they may take.
fn iterations(reader: &mut TableReader<'_>) -> (u32, u64, Duration) {
    let vus = vus(reader);
    let iterations = reader.or("iterations", 1);
    reader.ensure("iterations", iterations > 0, "must be above 0");
    let max_duration = reader.or("maxDuration", Duration::from_secs(600));
    reader.ensure("maxDuration", !max_duration.is_zero(), "must be longer than nothing");
    (vus, iterations, max_duration)
}

fn stages(reader: &mut TableReader<'_>, highest: f64, names: &mut StageNames) -> Vec<Stage> {
    let stages = reader.tables("stages", |stage| {
        let target = stage.required("target");
        stage.ensure("target", (0.0..=highest).contains(&target), "is negative or out of reach");
        names.push(stage.optional("name"));
        Stage { duration: stage.required("duration"), target }
    });
    let some_time = stages.iter().any(|stage: &Stage| !stage.duration.is_zero());
    reader.ensure("stages", some_time, "must name at least one stage that takes time");
    stages
}

impl Executor {
    /// k6's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConstantArrivalRate { .. } => NAMES[0],
            Self::RampingArrivalRate { .. } => NAMES[1],
            Self::ConstantVus { .. } => NAMES[2],
            Self::RampingVus { .. } => NAMES[3],
            Self::PerVuIterations { .. } => NAMES[4],
            Self::SharedIterations { .. } => NAMES[5],
        }
    }

    /// How long it starts iterations, at most.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match self {
            Self::ConstantArrivalRate { duration, .. } | Self::ConstantVus { duration, .. } => {
                *duration
            }
            Self::RampingArrivalRate { stages, .. } | Self::RampingVus { stages, .. } => {
                stages.iter().map(|stage| stage.duration).sum()
            }
            Self::PerVuIterations { max_duration, .. }
            | Self::SharedIterations { max_duration, .. } => *max_duration,
        }
    }

    /// Of those that have any.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        match self {
            Self::RampingArrivalRate { stages, .. } | Self::RampingVus { stages, .. } => stages,
            _ => &[],
        }
    }

    /// The most virtual users that are ever busy at once.
    #[must_use]
    pub fn max_vus(&self) -> u32 {
        match self {
            Self::ConstantArrivalRate { vus, .. } | Self::RampingArrivalRate { vus, .. } => vus.max,
            Self::ConstantVus { vus, .. }
            | Self::PerVuIterations { vus, .. }
            | Self::SharedIterations { vus, .. } => *vus,
            Self::RampingVus { start_vus, stages, .. } => {
                let targets = stages.iter().map(|stage| stage.target);
                targets.fold(f64::from(*start_vus), f64::max).ceil() as u32
            }
        }
    }

    /// The most that there may be when somebody turns the rate up. In open models as many as without: `maxVUs`
    /// is a limit that was set.
    #[must_use]
    pub fn most_vus(&self) -> u32 {
        match self {
            Self::ConstantVus { .. } | Self::RampingVus { .. } | Self::SharedIterations { .. } => {
                Percent::HIGHEST.of(self.max_vus()).min(MOST_VUS)
            }
            _ => self.max_vus(),
        }
    }

    /// Whether iterations start by the clock, whatever the system under test does.
    #[must_use]
    pub fn is_open_model(&self) -> bool {
        matches!(self, Self::ConstantArrivalRate { .. } | Self::RampingArrivalRate { .. })
    }

    /// Iterations per second at `elapsed` after the scenario's start; `None` for closed models and
    /// outside the scenario's time.
    #[must_use]
    pub fn target_rate(&self, elapsed: Duration) -> Option<f64> {
        match self {
            Self::ConstantArrivalRate { rate, time_unit, duration, .. } => {
                (elapsed < *duration).then(|| rate / time_unit.as_secs_f64())
            }
            Self::RampingArrivalRate { start_rate, time_unit, stages, .. } => {
                let (mut from, mut start) = (*start_rate, Duration::ZERO);
                for stage in stages {
                    let end = start + stage.duration;
                    if elapsed < end {
                        let share = (elapsed - start).as_secs_f64() / stage.duration.as_secs_f64();
                        return Some(
                            (from + (stage.target - from) * share) / time_unit.as_secs_f64(),
                        );
                    }
                    (from, start) = (stage.target, end);
                }
                None
            }
            _ => None,
        }
    }
}
