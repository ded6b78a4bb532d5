//! Reads every topic of the shop from offset 0, with no group and no service code.

use std::time::Duration;

use contract::topics::{Topic, header};
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::RecordAndOffset;
use rskafka::{BackoffConfig, client::error::Error as KafkaError};
use tokio::net::TcpStream;

use super::model::{Model, RawRecord};

/// How long one question to the broker may take. rskafka itself would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes asked for at once from one partition.
const FETCH_BYTES: std::ops::Range<i32> = 1..4 << 20;
/// Dead letters that are kept with their reason, per topic and partition.
const KEPT_DEAD_LETTERS: usize = 20;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("Kafka at {kafka} does not answer{why}")]
    Unreachable { kafka: String, why: String },
    #[error("reading {topic}/{partition} at offset {offset}: {source}")]
    Fetch { topic: String, partition: i32, offset: i64, source: Box<KafkaError> },
    #[error("reading {topic}/{partition} at offset {offset}: no answer in {} s", PATIENCE.as_secs())]
    Silent { topic: String, partition: i32, offset: i64 },
}

/// A client that gives up after a bounded time.
///
/// # Errors
/// Nobody answers at `kafka` (`HOST:PORT`, several joined by commas).
pub async fn connect(kafka: &str, patience: Duration) -> Result<Client, ReadError> {
    let unreachable = |why: String| ReadError::Unreachable { kafka: kafka.to_owned(), why };
    if let Err(error) = probe(kafka, patience).await {
        return Err(unreachable(format!(": {error}")));
    }
    let brokers: Vec<String> = kafka.split(',').map(|host| host.trim().to_owned()).collect();
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
        deadline: Some(patience),
    };
    let building = ClientBuilder::new(brokers).backoff_config(backoff).build();
    match tokio::time::timeout(patience, building).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(unreachable(format!(": {error}"))),
        Err(_) => Err(unreachable(format!(" within {} s", patience.as_secs()))),
    }
}

/// Whether anybody listens: rskafka itself would try again and again before it says so.
async fn probe(kafka: &str, patience: Duration) -> std::io::Result<()> {
    let mut outcome = Err(std::io::Error::other("no address"));
    for host in kafka.split(',').map(str::trim) {
        outcome = match tokio::time::timeout(patience, TcpStream::connect(host)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
    }
    outcome
}

/// The shop's log, as far as it was read.
pub struct LogReader {
    kafka: String,
    client: Client,
    partitions: Vec<Partition>,
    dead_letters: Vec<String>,
    pub model: Model,
}

struct Partition {
    topic: Topic,
    client: PartitionClient,
    next_offset: i64,
}

impl LogReader {
    /// Finds the topics that there are.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn open(kafka: &str) -> Result<Self, ReadError> {
        let client = connect(kafka, PATIENCE).await?;
        let mut reader = Self {
            kafka: kafka.to_owned(),
            client,
            partitions: Vec::new(),
            dead_letters: Vec::new(),
            model: Model::default(),
        };
        reader.find_topics().await?;
        Ok(reader)
    }

    async fn find_topics(&mut self) -> Result<(), ReadError> {
        let unreachable = |why: String| ReadError::Unreachable { kafka: self.kafka.clone(), why };
        let listing = tokio::time::timeout(PATIENCE, self.client.list_topics()).await;
        let listed = listing
            .map_err(|_| unreachable(String::new()))?
            .map_err(|error| unreachable(format!(": {error}")))?;
        for found in listed {
            let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.name() == found.name)
            else {
                if Topic::ALL.iter().any(|topic| topic.dead_letter() == found.name) {
                    self.dead_letters.push(found.name);
                }
                continue;
            };
            let count = i32::try_from(found.partitions.len()).unwrap_or(i32::MAX);
            self.model.partitions.insert(topic, count);
            for partition in found.partitions {
                let client = self.partition_client(topic.name(), partition).await?;
                self.partitions.push(Partition { topic, client, next_offset: 0 });
            }
        }
        Ok(())
    }

    async fn partition_client(&self, topic: &str, id: i32) -> Result<PartitionClient, ReadError> {
        let opening = self.client.partition_client(topic, id, UnknownTopicHandling::Error);
        answer(opening, topic, id, 0).await
    }

    /// Reads on to where the log ends now. Returns how many records were new.
    ///
    /// # Errors
    /// The broker does not answer, or has thrown away what was not read yet.
    pub async fn poll(&mut self) -> Result<u64, ReadError> {
        if self.partitions.is_empty() {
            self.find_topics().await?;
        }
        let mut count = 0;
        for partition in &mut self.partitions {
            let (topic, id) = (partition.topic, partition.client.partition());
            loop {
                let from = partition.next_offset;
                let fetching = partition.client.fetch_records(from, FETCH_BYTES, 0);
                let (records, high_watermark) = answer(fetching, topic.name(), id, from).await?;
                let Some(last) = records.last() else { break };
                partition.next_offset = last.offset + 1;
                count += records.len() as u64;
                for RecordAndOffset { record, offset } in &records {
                    self.model.add(RawRecord {
                        topic,
                        partition: id,
                        offset: *offset,
                        key: record.key.as_deref(),
                        value: record.value.as_deref().unwrap_or_default(),
                        headers: &record.headers,
                        created_at: record.timestamp,
                    });
                }
                if partition.next_offset >= high_watermark {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Reads the dead-letter topics and hands the model over.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn finish(mut self) -> Result<Model, ReadError> {
        // The first dead letter creates its topic, which may have happened while we read.
        self.dead_letters.clear();
        let known = std::mem::take(&mut self.partitions);
        self.find_topics().await?;
        self.partitions = known;
        for topic in std::mem::take(&mut self.dead_letters) {
            let mut letters = Vec::new();
            let count = self.model.partitions.values().max().copied().unwrap_or(1);
            for id in 0..count {
                // A dead-letter topic may have fewer partitions than its origin.
                let Ok(client) = self.partition_client(&topic, id).await else { continue };
                let fetching = client.fetch_records(0, FETCH_BYTES, 0);
                let (records, _) = answer(fetching, &topic, id, 0).await?;
                letters.extend(records.iter().take(KEPT_DEAD_LETTERS).map(describe_dead_letter));
            }
            self.model.dead_letters.insert(topic, letters);
        }
        Ok(self.model)
    }
}

async fn answer<T>(
    asking: impl Future<Output = Result<T, KafkaError>>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<T, ReadError> {
    let topic = topic.to_owned();
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            Err(ReadError::Fetch { topic, partition, offset, source: Box::new(error) })
        }
        Err(_) => Err(ReadError::Silent { topic, partition, offset }),
    }
}

fn describe_dead_letter(letter: &RecordAndOffset) -> String {
    let text = |name| {
        let value = letter.record.headers.get(name).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(value)
    };
    format!(
        "from {}/{} offset {}: {}",
        text(header::ORIGIN_TOPIC),
        text(header::ORIGIN_PARTITION),
        text(header::ORIGIN_OFFSET),
        text(header::DEAD_LETTER_REASON)
    )
}
