//! What the broker's thread costs, seen through rskafka: `cargo run --release -p sim --example
//! throughput`. First batches at 50,000 messages of 300 bytes a second, then single records that
//! are each read by several waiting fetches, as in the shop. Linux only: reads /proc.

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use sim::Broker;

const PARTITIONS: i32 = 4;

struct Load {
    name: &'static str,
    records_per_batch: usize,
    value_bytes: usize,
    readers_per_partition: usize,
    /// Time between two batches of one partition.
    pace: Duration,
    batches: usize,
}

#[tokio::main]
async fn main() {
    let loads = [
        Load {
            name: "batches",
            records_per_batch: 125,
            value_bytes: 300,
            readers_per_partition: 1,
            pace: Duration::from_millis(10),
            batches: 800,
        },
        Load {
            name: "single records",
            records_per_batch: 1,
            value_bytes: 500,
            readers_per_partition: 4,
            pace: Duration::from_millis(2),
            batches: 3_000,
        },
    ];
    for load in loads {
        measure(load).await;
    }
}

async fn measure(load: Load) {
    let broker = Broker::start().expect("a broker");
    let client = ClientBuilder::new(vec![broker.address().to_string()]).build().await.expect("up");
    client
        .controller_client()
        .expect("a controller")
        .create_topic("load", PARTITIONS, 1, 5_000)
        .await
        .expect("a topic");
    let requests = Arc::new(AtomicU64::new(0));
    let load = Arc::new(load);
    let expected = (load.batches * load.records_per_batch) as i64;
    let started = tokio::time::Instant::now();
    let cpu_before = broker_cpu();
    let mut tasks = Vec::new();
    for index in 0..PARTITIONS {
        let partition = |_| client.partition_client("load", index, UnknownTopicHandling::Error);
        for reader in 0..load.readers_per_partition {
            let partition = partition(reader).await.expect("a partition");
            tasks.push(tokio::spawn(read(partition, expected, requests.clone())));
        }
        let partition = partition(0).await.expect("a partition");
        tasks.push(tokio::spawn(write(partition, load.clone(), requests.clone())));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    let cpu = broker_cpu() - cpu_before;
    let elapsed = started.elapsed();
    let messages = expected as f64 * f64::from(PARTITIONS);
    let requests = requests.load(Ordering::Relaxed) as f64;
    println!(
        "{}: {:.0} messages/s, {:.0} requests/s, broker {:.1} % of a core, \
         {:.2} µs a message, {:.2} µs a request",
        load.name,
        messages / elapsed.as_secs_f64(),
        requests / elapsed.as_secs_f64(),
        100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / messages,
        cpu.as_secs_f64() * 1e6 / requests,
    );
}

async fn write(partition: PartitionClient, load: Arc<Load>, requests: Arc<AtomicU64>) {
    let record = Record {
        key: Some(vec![b'k'; 36]),
        value: Some(vec![b'v'; load.value_bytes]),
        headers: BTreeMap::new(),
        timestamp: rskafka::chrono::DateTime::from_timestamp_millis(1_700_000_000_000)
            .expect("a date"),
    };
    let mut pace = tokio::time::interval(load.pace);
    for _ in 0..load.batches {
        pace.tick().await;
        let batch = vec![record.clone(); load.records_per_batch];
        partition.produce(batch, Compression::NoCompression).await.expect("produced");
        requests.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read(partition: PartitionClient, expected: i64, requests: Arc<AtomicU64>) {
    let mut offset = 0;
    while offset < expected {
        let (records, _) =
            partition.fetch_records(offset, 1..1_000_000, 500).await.expect("fetched");
        requests.fetch_add(1, Ordering::Relaxed);
        if let Some(last) = records.last() {
            offset = last.offset + 1;
        }
    }
}

/// CPU time of all threads that are named as the broker's.
fn broker_cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let name = std::fs::read_to_string(thread.path().join("comm")).ok()?;
        if name.trim() != "broker" {
            return None;
        }
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
