//! From the start of the process to its first answer, and what it holds when nothing happens.

use std::time::Duration;

use super::megabytes;
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row, number};

const READY_GOAL_MS: f64 = 15.0;
const IDLE_GOAL_MB: f64 = 12.0;
/// After which a broker has done what it does once at its start.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut ready = Vec::new();
    let mut idle = Vec::new();
    let mut fastest = Vec::new();
    for (kind, starts) in plan.kinds().into_iter().zip(plan.starts) {
        // The first start reads the binary from the disk.
        kind.start()?;
        let mut samples = Vec::new();
        for _ in 0..starts {
            samples.push(kind.start()?.ready.as_secs_f64() * 1e3);
        }
        let minimum = samples.iter().copied().fold(f64::MAX, f64::min);
        fastest.push(format!("{} {} ms", kind.name(), number(minimum)));
        ready.push(Figure::median(samples));
        let broker = kind.start()?;
        std::thread::sleep(SETTLE);
        idle.push(Figure::median(vec![megabytes(broker.pss_bytes()?)]));
    }
    Ok(vec![
        Row::new("ready: first ApiVersions answer", "ms", Goal::AtMost(READY_GOAL_MS), ready)
            .note(format!("fastest: {}", fastest.join(", "))),
        Row::new("idle memory", "MB", Goal::AtMost(IDLE_GOAL_MB), idle).note("PSS"),
    ])
}
