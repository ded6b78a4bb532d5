//! The rows of the table, a file for each measurement.

mod connections;
mod fsync;
mod memory;
mod paced;
mod partitions;
mod ready;
mod throughput;

use std::time::Duration;

use crate::broker::Running;
use crate::java::Pace;
use crate::plan::Plan;
use crate::report::Row;

type Measure = fn(&Plan) -> anyhow::Result<Vec<Row>>;

/// Every measurement, in the order of the table.
pub(crate) const ALL: [(&str, Measure); 7] = [
    ("ready", ready::measure),
    ("throughput", throughput::measure),
    ("paced", paced::measure),
    ("memory", memory::measure),
    ("partitions", partitions::measure),
    ("connections", connections::measure),
    ("fsync", fsync::measure),
];

pub(crate) const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ALL[at].0;
        at += 1;
    }
    names
};

/// Batches of the fast runs wait this long to fill.
const LINGER_MS: u64 = 5;

/// What one run through Kafka's tools cost the broker.
#[derive(Debug, Clone, Copy)]
struct Cost {
    produce_us: f64,
    consume_us: f64,
    consumed_per_second: f64,
}

/// Produces into a fresh topic, consumes all of it, removes it.
fn produce_and_consume(
    plan: &Plan,
    broker: &Running,
    topic: &str,
    partitions: i32,
) -> anyhow::Result<Cost> {
    let mut client = broker.client()?;
    client.create_topic(topic, partitions)?;
    let before = broker.cpu()?;
    let pace = Pace { records: plan.records, rate: None, linger_ms: LINGER_MS };
    plan.java.produce(&broker.address, topic, pace)?;
    let between = broker.cpu()?;
    let consumed_per_second = plan.java.consume(&broker.address, topic, plan.records)?;
    let after = broker.cpu()?;
    client.delete_topic(topic)?;
    Ok(Cost {
        produce_us: microseconds_each(between - before, plan.records),
        consume_us: microseconds_each(after - between, plan.records),
        consumed_per_second,
    })
}

fn microseconds_each(spent: Duration, records: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / records as f64
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
