//! Every record of every topic of a shop, judged.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use contract::topics::Topic;
use rskafka::client::partition::UnknownTopicHandling;
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

use super::Schemas;

/// Judges all records at `kafka`, but those that tests planted under one of the `planted` keys; how many
/// there are of each type of event. Dead letters count as `dead letter`.
///
/// # Panics
/// With everything that is wrong.
pub(crate) async fn judge_all(kafka: SocketAddr, planted: &[&str]) -> BTreeMap<String, usize> {
    let schemas = Schemas::new();
    let client = ClientBuilder::new(vec![kafka.to_string()]).build().await.unwrap();
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for topic in Topic::ALL {
        for name in [topic.name(), topic.dead_letter()] {
            for record in records(&client, name).await {
                let is_event = name == topic.name();
                let key = record.key.as_deref().unwrap_or_default();
                if is_event && planted.iter().any(|planted| planted.as_bytes() == key) {
                    continue;
                }
                match schemas.judge(name, &record) {
                    Ok(event_type) => *counts.entry(event_type).or_default() += 1,
                    Err(why) => wrong.push(format!("{name}: {why}")),
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} records are wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
    counts
}

async fn records(client: &Client, topic: &str) -> Vec<Record> {
    let topics = client.list_topics().await.unwrap();
    let partitions = topics.into_iter().find(|found| found.name == topic).map(|t| t.partitions);
    let mut all = Vec::new();
    for partition in partitions.into_iter().flatten() {
        let partition = client.partition_client(topic, partition, UnknownTopicHandling::Retry);
        let partition = partition.await.unwrap();
        let mut offset = 0;
        loop {
            let fetch = partition.fetch_records(offset, 1..10_000_000, 0);
            let (records, high_watermark) = fetch.await.unwrap();
            offset = records.last().map_or(high_watermark, |record| record.offset + 1);
            all.extend(records.into_iter().map(|record| record.record));
            if offset >= high_watermark {
                break;
            }
        }
    }
    all
}
