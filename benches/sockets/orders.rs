//! Orders that have ended, written past every service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use contract::Timestamp;
use contract::events::Event;
use contract::ids::OrderId;
use contract::samples::{self, SAGA};
use contract::topics::{DEFAULT_PARTITIONS, partition_for_key};
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

/// Records of one request.
const BATCH: usize = 1_000;

pub(crate) struct Orders(Client);

impl Orders {
    pub(crate) async fn at(kafka: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(ClientBuilder::new(vec![kafka.to_string()]).build().await?))
    }

    pub(crate) fn id(&self, number: usize) -> String {
        id(number).to_string()
    }

    /// Writes so many orders, topic by topic.
    pub(crate) async fn write(&self, count: usize) -> anyhow::Result<()> {
        for event_type in SAGA {
            let mut partitions: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
            for number in 0..count {
                let event = samples::event(id(number), event_type, at());
                let key = event.order_id().to_string().into_bytes();
                let partition = partition_for_key(&key, DEFAULT_PARTITIONS);
                partitions.entry(partition).or_default().push(record(&event, key));
            }
            for (partition, records) in partitions {
                let topic = event_type.topic().name();
                let client =
                    self.0.partition_client(topic, partition, UnknownTopicHandling::Retry).await?;
                for batch in records.chunks(BATCH) {
                    client.produce(batch.to_vec(), Compression::NoCompression).await?;
                }
            }
        }
        Ok(())
    }
}

fn id(number: usize) -> OrderId {
    OrderId::for_idempotency_key(&number.to_string())
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn record(event: &Event, key: Vec<u8>) -> Record {
    let headers = samples::headers(event, at());
    Record { key: Some(key), value: Some(event.encode()), headers, timestamp: at() }
}
