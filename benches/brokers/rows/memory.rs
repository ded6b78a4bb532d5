//! What a broker needs to hold a number of bytes.

use super::{LINGER_MS, megabytes};
use crate::java::{Pace, RECORD_BYTES};
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row, number};

const PARTITIONS: i32 = 4;
/// Runs of records that are held.
const RUNS: u64 = 2;
const SHARE: f64 = 1.15;
const BASE_MB: f64 = 20.0;

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let records = RUNS * plan.records;
    // The values alone: what the records carry around them is the broker's to save on.
    let held = megabytes(records * RECORD_BYTES);
    let mut figures = Vec::new();
    for kind in plan.kinds() {
        let broker = kind.start()?;
        broker.client()?.create_topic("held", PARTITIONS)?;
        let pace = Pace { records: plan.records, rate: None, linger_ms: LINGER_MS };
        for _ in 0..RUNS {
            plan.java.produce(&broker.address, "held", pace)?;
        }
        figures.push(Figure::median(vec![megabytes(broker.pss_bytes()?)]));
    }
    let goal = Goal::AtMost(SHARE * held + BASE_MB);
    Ok(vec![
        Row::new("memory after N bytes held", "MB", goal, figures)
            .note(format!("N = {} MB in {records} values; PSS", number(held))),
    ])
}
