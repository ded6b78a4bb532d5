//! Latency at a moderate rate, every record on its own.

use crate::broker::Running;
use crate::java::{Pace, Produced};
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row};

const RATE: u64 = 5_000;
const PARTITIONS: i32 = 4;
const SHARE_OF_KAFKA: f64 = 0.5;
const MOST_ROUNDS: usize = 3;

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let brokers: Vec<Running> =
        plan.kinds().into_iter().map(|kind| kind.start()).collect::<Result<_, _>>()?;
    let pace = Pace { records: RATE * plan.paced_seconds, rate: Some(RATE), linger_ms: 0 };
    let mut runs: Vec<Vec<Produced>> = brokers.iter().map(|_| Vec::new()).collect();
    for round in 0..=plan.rounds.min(MOST_ROUNDS) {
        for (broker, runs) in brokers.iter().zip(&mut runs) {
            let topic = format!("paced-{round}");
            broker.client()?.create_topic(&topic, PARTITIONS)?;
            let produced = plan.java.produce(&broker.address, &topic, pace)?;
            if round > 0 {
                runs.push(produced);
            }
        }
    }
    let figures = |of: fn(&Produced) -> f64| -> Vec<Figure> {
        runs.iter().map(|runs| Figure::median(runs.iter().map(of).collect())).collect()
    };
    let goal = Goal::AtMostKafkaTimes(SHARE_OF_KAFKA);
    Ok(vec![
        Row::new("paced produce latency, average", "ms", goal, figures(|run| run.average_ms))
            .note("5,000/s, linger 0"),
        Row::new("paced produce latency, p99", "ms", goal, figures(|run| run.p99_ms))
            .note("the tool counts whole milliseconds"),
    ])
}
