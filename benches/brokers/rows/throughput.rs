//! Broker CPU per message, and what a consumer gets in a second, at full speed.

use super::{Cost, produce_and_consume};
use crate::broker::Running;
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row};

const PRODUCE_GOAL_US: f64 = 0.25;
const CONSUME_GOAL_US: f64 = 0.15;
const PARTITIONS: i32 = 4;

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let brokers: Vec<Running> =
        plan.kinds().into_iter().map(|kind| kind.start()).collect::<Result<_, _>>()?;
    let mut costs: Vec<Vec<Cost>> = brokers.iter().map(|_| Vec::new()).collect();
    for round in 0..=plan.rounds {
        for (broker, costs) in brokers.iter().zip(&mut costs) {
            let cost = produce_and_consume(plan, broker, &format!("fast-{round}"), PARTITIONS)?;
            // The first round is for the virtual machines to warm up.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let figures = |of: fn(&Cost) -> f64| -> Vec<Figure> {
        costs.iter().map(|costs| Figure::median(costs.iter().map(of).collect())).collect()
    };
    let produce = figures(|cost| cost.produce_us);
    let consume = figures(|cost| cost.consume_us);
    let consumed = figures(|cost| cost.consumed_per_second);
    let cpu = "broker CPU per message";
    Ok(vec![
        Row::new(&format!("{cpu}, produce"), "µs", Goal::AtMost(PRODUCE_GOAL_US), produce),
        Row::new(&format!("{cpu}, consume"), "µs", Goal::AtMost(CONSUME_GOAL_US), consume),
        Row::new("consumed by the Java client", "/s", Goal::AboveKafka, consumed),
    ])
}
