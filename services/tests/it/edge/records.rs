//! Writing and reading the shop's topics directly, as another service would.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use contract::Timestamp;
use contract::events::{Event, EventType};
use contract::ids::OrderId;
use contract::samples;
pub(crate) use contract::samples::SAGA;
use contract::topics::{DEFAULT_PARTITIONS, Topic, partition_for_key};
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

/// The log, past every service.
pub(crate) struct Topics(Client);

/// The time of every event written here.
pub(crate) fn at() -> Timestamp {
    Timestamp::from_timestamp_millis(1_750_000_000_123).unwrap()
}

impl Topics {
    pub(crate) async fn at(kafka: SocketAddr) -> Self {
        Self(ClientBuilder::new(vec![kafka.to_string()]).build().await.unwrap())
    }

    pub(crate) async fn write(&self, event: &Event) {
        self.write_value(event, event.encode()).await;
    }

    /// Writes an event with a value of its own, for values that this version would not write.
    pub(crate) async fn write_value(&self, event: &Event, value: Vec<u8>) {
        let (topic, partition, record) = record(event, value);
        self.produce(topic, partition, vec![record]).await;
    }

    /// Writes an event that is nearly as large as any is read.
    pub(crate) async fn write_padded(&self, event: &Event) {
        let mut value: serde_json::Value = serde_json::from_slice(&event.encode()).unwrap();
        value["padding"] = "x".repeat(64_000).into();
        self.write_value(event, value.to_string().into_bytes()).await;
    }

    /// Writes many events, each partition's together.
    pub(crate) async fn write_all(&self, events: impl Iterator<Item = Event>) {
        let mut batches: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in events {
            let (topic, partition, record) = record(&event, event.encode());
            batches.entry((topic, partition)).or_default().push(record);
        }
        for ((topic, partition), records) in batches {
            for batch in records.chunks(BATCH) {
                self.produce(topic, partition, batch.to_vec()).await;
            }
        }
    }

    async fn produce(&self, topic: Topic, partition: i32, records: Vec<Record>) {
        let client = self.0.partition_client(topic.name(), partition, UnknownTopicHandling::Retry);
        client.await.unwrap().produce(records, Compression::NoCompression).await.unwrap();
    }

    /// Deletes everything that there is, as retention does after a while.
    pub(crate) async fn delete_all(&self) {
        for topic in Topic::ALL {
            for partition in 0..DEFAULT_PARTITIONS {
                let name = topic.name();
                let client = self.0.partition_client(name, partition, UnknownTopicHandling::Retry);
                let client = client.await.unwrap();
                let end = client.get_offset(OffsetAt::Latest).await.unwrap();
                client.delete_records(end, 1_000).await.unwrap();
            }
        }
    }

    /// How many records of `orders` belong to one order.
    pub(crate) async fn records_of(&self, order_id: OrderId) -> usize {
        self.events_of(order_id).await.len()
    }

    /// The events in `orders` of one order.
    pub(crate) async fn events_of(&self, order_id: OrderId) -> Vec<Event> {
        let partition = partition_for_key(order_id.to_string().as_bytes(), DEFAULT_PARTITIONS);
        let topic = Topic::Orders.name();
        let client = self.0.partition_client(topic, partition, UnknownTopicHandling::Retry);
        let client = client.await.unwrap();
        let (mut offset, mut events) = (0, Vec::new());
        loop {
            let (records, end) = client.fetch_records(offset, 1..1_000_000, 100).await.unwrap();
            for record in &records {
                offset = record.offset + 1;
                if record.record.key.as_deref() == Some(order_id.to_string().as_bytes()) {
                    let value = record.record.value.as_deref().unwrap();
                    events.push(Event::decode(None, value).unwrap());
                }
            }
            if offset >= end {
                return events;
            }
        }
    }
}

/// Records of one request.
const BATCH: usize = 1000;

pub(crate) fn record(event: &Event, value: Vec<u8>) -> (Topic, i32, Record) {
    let topic = event.event_type().topic();
    let key = event.order_id().to_string().into_bytes();
    let partition = partition_for_key(&key, DEFAULT_PARTITIONS);
    let headers = samples::headers(event, at());
    let record = Record { key: Some(key), value: Some(value), headers, timestamp: at() };
    (topic, partition, record)
}

/// An event of an order of three pieces of product-2.
pub(crate) fn event(order_id: OrderId, event_type: EventType) -> Event {
    samples::event(order_id, event_type, at())
}
