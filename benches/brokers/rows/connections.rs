//! Whether a message costs the same over however many connections it comes. The same requests are under way in each
//! case: only how many sockets they take turns on differs.

use anyhow::{anyhow, ensure};
use bytes::Bytes;
use kafka_protocol::messages::{FetchRequest, ProduceRequest};

use super::microseconds_each;
use super::partitions::spread_row;
use crate::broker::Running;
use crate::client::{self, Client};
use crate::java::RECORD_BYTES;
use crate::plan::Plan;
use crate::report::{Row, median};
use benches::process;

const COUNTS: [usize; 3] = [1, 100, 2_000];
const PARTITIONS: i32 = 4;
/// As many as fill a batch of 128 KiB, as in the other rows.
const RECORDS_PER_BATCH: i64 = 400;
/// Room for one such batch and less than two.
const FETCH_BYTES: i32 = 128 * 1024;
/// Every connection gets to send.
const LEAST_REQUESTS: usize = 4_000;
/// Requests under way on all connections together.
const UNDER_WAY: usize = 20;
const MOST_ROUNDS: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Cost {
    produce_us: f64,
    fetch_us: f64,
}

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    process::raise_descriptor_limit()?;
    let brokers: Vec<Running> =
        plan.kinds().into_iter().map(|kind| kind.start()).collect::<Result<_, _>>()?;
    let mut costs: Vec<[Vec<Cost>; COUNTS.len()]> =
        brokers.iter().map(|_| Default::default()).collect();
    // One broker after the other: what is compared is its own counts, and they follow each other closely.
    for (broker, costs) in brokers.iter().zip(&mut costs) {
        for round in 0..=plan.rounds.min(MOST_ROUNDS) {
            for (count, costs) in COUNTS.into_iter().zip(&mut *costs) {
                let topic = format!("connections-{count}-{round}");
                let cost = produce_and_fetch(broker, &topic, count, plan.records)?;
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
        spread_row(&format!("1, 100, 2,000 connections: {what}"), &medians)
    };
    Ok(vec![row("produce", |cost| cost.produce_us), row("consume", |cost| cost.fetch_us)])
}

fn produce_and_fetch(
    broker: &Running,
    topic: &str,
    connections: usize,
    records: u64,
) -> anyhow::Result<Cost> {
    let mut control = broker.client()?;
    control.create_topic(topic, PARTITIONS)?;
    let mut clients: Vec<Client> =
        (0..connections).map(|_| broker.client()).collect::<Result<_, _>>()?;
    // What it costs to be connected is not looked at here.
    clients.iter_mut().try_for_each(Client::api_versions)?;
    let batches = usize::try_from(records)? / usize::try_from(RECORDS_PER_BATCH)?;
    let requests = batches.max(LEAST_REQUESTS);
    let produce: Vec<Bytes> = (0..PARTITIONS)
        .map(|partition| {
            client::produce_frame(topic, partition, RECORDS_PER_BATCH, RECORD_BYTES as usize)
        })
        .collect::<Result<_, _>>()?;
    // Kafka names a leader before that takes records.
    for frame in &produce {
        control.retry("Produce", |control| {
            control.send(frame)?;
            Ok(produced(control.receive()?)?.is_ok())
        })?;
    }
    let before = broker.cpu()?;
    take_turns(&mut clients, &produce, requests, |answer| produced(answer)?)?;
    let between = broker.cpu()?;
    // Each partition got every fourth batch; all of them are asked for.
    let batches = i64::try_from(requests)? / i64::from(PARTITIONS);
    let fetch: Vec<Bytes> = (0..batches)
        .flat_map(|batch| (0..PARTITIONS).map(move |partition| (batch, partition)))
        .map(|(batch, partition)| {
            client::fetch_frame(topic, partition, batch * RECORDS_PER_BATCH, FETCH_BYTES)
        })
        .collect::<Result<_, _>>()?;
    let ready = broker.cpu()?;
    take_turns(&mut clients, &fetch, fetch.len(), |answer| {
        let answer = client::decode::<FetchRequest>(client::FETCH, answer)?;
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let lengths: Vec<usize> =
            partitions.map(|partition| partition.records.as_ref().map_or(0, Bytes::len)).collect();
        ensure!(lengths.len() == 1 && lengths[0] > 0, "Fetch: {lengths:?}");
        Ok(())
    })?;
    let after = broker.cpu()?;
    control.delete_topic(topic)?;
    let fetched = fetch.len() as u64 * RECORDS_PER_BATCH as u64;
    Ok(Cost {
        produce_us: microseconds_each(between - before, requests as u64 * RECORDS_PER_BATCH as u64),
        fetch_us: microseconds_each(after - ready, fetched),
    })
}

/// What the one partition of a Produce answer says.
fn produced(answer: Bytes) -> anyhow::Result<anyhow::Result<()>> {
    let answer = client::decode::<ProduceRequest>(client::PRODUCE, answer)?;
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    let codes: Vec<i16> = partitions.map(|partition| partition.error_code).collect();
    Ok(if codes == [0] { Ok(()) } else { Err(anyhow!("Produce: {codes:?}")) })
}

/// Sends `requests` of `frames`, round and round, over connections that take turns.
fn take_turns(
    clients: &mut [Client],
    frames: &[Bytes],
    requests: usize,
    check: impl Fn(Bytes) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let connections = clients.len();
    let mut sent = 0;
    while sent < requests {
        let turn = sent..(sent + UNDER_WAY).min(requests);
        for at in turn.clone() {
            clients[at % connections].send(&frames[at % frames.len()])?;
        }
        for at in turn.clone() {
            check(clients[at % connections].receive()?)?;
        }
        sent = turn.end;
    }
    Ok(())
}
