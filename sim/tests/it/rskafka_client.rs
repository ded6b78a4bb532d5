//! The client that the services use.

use std::collections::BTreeMap;
use std::time::Duration;

use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use sim::Broker;

async fn client(broker: &Broker) -> Client {
    ClientBuilder::new(vec![broker.address().to_string()]).build().await.unwrap()
}

async fn partition(client: &Client, topic: &str, index: i32) -> PartitionClient {
    client.partition_client(topic, index, UnknownTopicHandling::Error).await.unwrap()
}

fn record(value: &str) -> Record {
    Record {
        key: Some(b"key".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: BTreeMap::from([("kind".to_owned(), b"test".to_vec())]),
        timestamp: rskafka::chrono::DateTime::from_timestamp_millis(1_700_000_000_000).unwrap(),
    }
}

#[tokio::test]
async fn what_is_produced_is_fetched() {
    let broker = Broker::start().unwrap();
    let client = client(&broker).await;
    client.controller_client().unwrap().create_topic("orders", 3, 1, 5_000).await.unwrap();
    let partition = partition(&client, "orders", 2).await;
    for at in 0..5 {
        let records = vec![record(&format!("a{at}")), record(&format!("b{at}"))];
        let offsets = partition.produce(records, Compression::NoCompression).await.unwrap();
        assert_eq!(offsets, [at * 2, at * 2 + 1]);
    }
    let (fetched, high_watermark) = partition.fetch_records(3, 1..1_000_000, 1_000).await.unwrap();
    assert_eq!(high_watermark, 10);
    let offsets: Vec<i64> = fetched.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (3..10).collect::<Vec<_>>());
    assert_eq!(fetched[0].record, record("b1"));
    use rskafka::client::partition::OffsetAt;
    assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 0);
    assert_eq!(partition.get_offset(OffsetAt::Latest).await.unwrap(), 10);
}

#[tokio::test]
async fn a_fetch_waits_for_records() {
    let broker = Broker::start().unwrap();
    let client = client(&broker).await;
    client.controller_client().unwrap().create_topic("orders", 1, 1, 5_000).await.unwrap();
    let reader = partition(&client, "orders", 0).await;
    let fetch = tokio::spawn(async move { reader.fetch_records(0, 1..1_000_000, 60_000).await });
    let writer = partition(&client, "orders", 0).await;
    writer.produce(vec![record("late")], Compression::NoCompression).await.unwrap();
    let fetched = tokio::time::timeout(Duration::from_secs(20), fetch).await;
    let (records, _) = fetched.expect("woken long before its time is up").unwrap().unwrap();
    assert_eq!(records[0].record, record("late"));
}
