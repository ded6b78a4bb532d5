//! Orders that have ended, written past every service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use contract::Timestamp;
use contract::events::Event;
use contract::ids::OrderId;
use contract::samples::{self, SAGA};
use contract::topics::{DEFAULT_PARTITIONS, Topic, partition_for_key};
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

/// Records of one request.
const BATCH: usize = 1_000;

/// Writes orders.
#[derive(Debug)]
pub struct Orders(Client);

impl Orders {
    /// A client of this broker.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn at(kafka: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(ClientBuilder::new(vec![kafka.to_string()]).build().await?))
    }

    /// Writes the orders of these numbers, topic by topic.
    ///
    /// # Errors
    /// What Kafka says.
    pub async fn write(&self, numbers: Range<usize>) -> anyhow::Result<()> {
        for event_type in SAGA {
            let mut partitions: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
            for number in numbers.clone() {
                let event = samples::event(id(number), event_type, at());
                let key = event.order_id().to_string().into_bytes();
                let partition = partition_for_key(&key, DEFAULT_PARTITIONS);
                let batch = partitions.entry(partition).or_default();
                batch.push(record(&event, key));
                if batch.len() == BATCH {
                    let records = std::mem::take(batch);
                    self.produce(event_type.topic(), partition, records).await?;
                }
            }
            for (partition, records) in partitions {
                if !records.is_empty() {
                    self.produce(event_type.topic(), partition, records).await?;
                }
            }
        }
        Ok(())
    }

    async fn produce(
        &self,
        topic: Topic,
        partition: i32,
        records: Vec<Record>,
    ) -> anyhow::Result<()> {
        let client =
            self.0.partition_client(topic.name(), partition, UnknownTopicHandling::Retry).await?;
        client.produce(records, Compression::NoCompression).await?;
        Ok(())
    }
}

/// The id of an order.
#[must_use]
pub fn id(number: usize) -> OrderId {
    OrderId::for_idempotency_key(&number.to_string())
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn record(event: &Event, key: Vec<u8>) -> Record {
    let headers = samples::headers(event, at());
    Record { key: Some(key), value: Some(event.encode()), headers, timestamp: at() }
}
