//! What it costs to have the log on a disk that is synchronised now and then.

use super::{Cost, produce_and_consume};
use crate::broker::{Kind as _, Running};
use crate::plan::Plan;
use crate::report::{Figure, Goal, Row, median, number};

const RATIO_GOAL: f64 = 1.5;
const PARTITIONS: i32 = 4;
const FLAGS: [&str; 2] = ["--data-dir", "--fsync"];

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let goal = Goal::AtMost(RATIO_GOAL);
    for flag in FLAGS {
        if !plan.doorbuster.knows(flag)? {
            let row = Row::new("--fsync interval, CPU over in-memory", "×", goal, Vec::new());
            return Ok(vec![row.note(format!("this broker has no {flag}"))]);
        }
    }
    let data = tempfile::tempdir()?;
    let folder = data.path().join("data").display().to_string();
    let on_disk = plan.doorbuster.with(&["--data-dir", &folder, "--fsync", "interval"]);
    let brokers: [Running; 2] = [plan.doorbuster.start()?, on_disk.start()?];
    let mut costs: [Vec<Cost>; 2] = Default::default();
    for round in 0..=plan.rounds {
        for (broker, costs) in brokers.iter().zip(&mut costs) {
            let cost = produce_and_consume(plan, broker, &format!("kept-{round}"), PARTITIONS)?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let row = |what: &str, of: fn(&Cost) -> f64| {
        let medians =
            costs.each_ref().map(|costs| median(&costs.iter().map(of).collect::<Vec<_>>()));
        let [memory, disk] = medians;
        let figure = Figure { value: disk / memory, samples: medians.to_vec() };
        Row::new(&format!("--fsync interval, CPU over in-memory, {what}"), "×", goal, vec![figure])
            .note(format!("µs per message: {} · {}", number(memory), number(disk)))
    };
    Ok(vec![row("produce", |cost| cost.produce_us), row("consume", |cost| cost.consume_us)])
}
