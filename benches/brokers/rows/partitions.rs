//! Whether a message costs the same however many partitions there are.

use super::{Cost, produce_and_consume};
use crate::broker::Running;
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row, median, number};

const COUNTS: [i32; 3] = [1, 100, 1_000];
const SPREAD_GOAL: f64 = 2.0;
const MOST_ROUNDS: usize = 3;

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let brokers: Vec<Running> =
        plan.kinds().into_iter().map(|kind| kind.start()).collect::<Result<_, _>>()?;
    let mut costs: Vec<[Vec<Cost>; COUNTS.len()]> =
        brokers.iter().map(|_| Default::default()).collect();
    // One broker after the other: what is compared is its own counts, and they follow each other closely.
    for (broker, costs) in brokers.iter().zip(&mut costs) {
        for round in 0..=plan.rounds.min(MOST_ROUNDS) {
            for (count, costs) in COUNTS.into_iter().zip(&mut *costs) {
                let topic = format!("partitions-{count}-{round}");
                let cost = produce_and_consume(plan, broker, &topic, count)?;
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
    }
    let row = |what: &str, of: fn(&Cost) -> f64| {
        let each = |costs: &Vec<Cost>| median(&costs.iter().map(of).collect::<Vec<_>>());
        let medians: Vec<Vec<f64>> =
            costs.iter().map(|counts| counts.iter().map(each).collect()).collect();
        spread_row(&format!("1, 100, 1,000 partitions: {what}"), &medians)
    };
    Ok(vec![row("produce", |cost| cost.produce_us), row("consume", |cost| cost.consume_us)])
}

/// A row that asks for figures which are close together.
pub(super) fn spread_row(what: &str, medians: &[Vec<f64>]) -> Row {
    let figures = medians.iter().map(|medians| Figure::spread(medians.clone())).collect();
    let made_of = |medians: &Vec<f64>| {
        let each: Vec<String> = medians.iter().map(|&median| number(median)).collect();
        each.join(" · ")
    };
    let notes: Vec<String> = medians.iter().map(made_of).collect();
    Row::new(what, "×", Goal::AtMost(SPREAD_GOAL), figures)
        .note(format!("µs per message: {}", notes.join("; Kafka ")))
}
