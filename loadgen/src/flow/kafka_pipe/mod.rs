//! `kafka-pipe`: an iteration produces a batch of keyed messages; consumers of this shard read them back
//! and every one is accounted for: lost, repeated, and how long it took.
//!
//! The latency counts from the iteration's intended start, so a broker that makes the generator wait cannot
//! hide it. Every shard has a topic of its own, which is deleted at the end.

mod ledger;
mod message;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow};
use contract::Timestamp;
use contract::topics::partition_for_key;
use futures_util::future::{LocalBoxFuture, join_all};
use rskafka::BackoffConfig;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use tokio::task::JoinSet;

use super::context::Context;
use super::params::PipeParams;
use super::samples::Check;
use crate::metrics::{CounterId, TrendId, names};
use crate::vu::{Iteration, VirtualUser, Work};
use ledger::{Arrival, Ledger};
use message::Header;

/// For the broker to be found and the topic to be made.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(20);
const TOPIC_TIMEOUT_MS: i32 = 5_000;
/// rskafka would try for ever.
const PRODUCE_TIMEOUT: Duration = Duration::from_secs(30);
/// A fetch waits for this much, or for `FETCH_WAIT_MS`: one fetch for some dozens of messages.
const FETCH_BYTES: std::ops::Range<i32> = 16_384..4 * 1024 * 1024;
const FETCH_WAIT_MS: i32 = 10;
/// After a fetch that failed.
const FETCH_PAUSE: Duration = Duration::from_millis(100);
/// How often the end looks whether everything has arrived.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Keys are spread over this many customers.
const KEYS: u64 = 65_536;

pub(crate) struct KafkaPipe(Rc<Pipe>);

struct Pipe {
    context: Rc<Context>,
    params: PipeParams,
    topic: String,
    epoch: Instant,
    next_key: Cell<u64>,
    ledgers: Vec<RefCell<Ledger>>,
    connection: OnceCell<Connection>,
    consumers: RefCell<JoinSet<()>>,
    samples: Samples,
}

struct Connection {
    client: Client,
    producers: Vec<PartitionClient>,
}

struct Samples {
    sent: CounterId,
    received: CounterId,
    lost: CounterId,
    duplicated: CounterId,
    errors: [(&'static str, CounterId); 2],
    latency: TrendId,
    is_acknowledged: Check,
}

const PRODUCE: &str = "produce";
const FETCH: &str = "fetch";

impl KafkaPipe {
    pub(crate) fn new(context: Rc<Context>, params: &PipeParams) -> Self {
        let registry = context.registry();
        let counter = |name| registry.counter(name, &context.tags(&[]));
        let error =
            |kind| (kind, registry.counter(names::KAFKA_ERRORS, &context.tags(&[("error", kind)])));
        let samples = Samples {
            sent: counter(names::KAFKA_MESSAGES_SENT),
            received: counter(names::KAFKA_MESSAGES_RECEIVED),
            lost: counter(names::KAFKA_MESSAGES_LOST),
            duplicated: counter(names::KAFKA_MESSAGES_DUPLICATED),
            errors: [PRODUCE, FETCH].map(error),
            latency: registry.trend(names::KAFKA_LATENCY, &context.tags(&[])),
            is_acknowledged: Check::new(&context, "batch is acknowledged"),
        };
        let (run_id, shard) = (context.shared.run_id, context.shared.stripe.index);
        let topic = format!("{}-{run_id:016x}-{}-{shard}", params.topic, context.index);
        Self(Rc::new(Pipe {
            ledgers: (0..params.partitions).map(|_| RefCell::default()).collect(),
            params: params.clone(),
            topic,
            epoch: Instant::now(),
            next_key: Cell::new(0),
            connection: OnceCell::new(),
            consumers: RefCell::default(),
            samples,
            context,
        }))
    }
}

impl Work for KafkaPipe {
    fn set_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async {
            let pipe = &self.0;
            let brokers = pipe.context.shared.services.kafka.join(",");
            tokio::time::timeout(SET_UP_TIMEOUT, Rc::clone(pipe).set_up())
                .await
                .map_err(|_| anyhow!("Kafka at {brokers} does not answer"))?
                .with_context(|| format!("cannot prepare topic {} at {brokers}", pipe.topic))
        })
    }

    fn virtual_user(&self) -> Box<dyn VirtualUser> {
        Box::new(User(Rc::clone(&self.0)))
    }

    fn tear_down(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.0.tear_down())
    }
}

struct User(Rc<Pipe>);

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.0.produce_batch(iteration))
    }
}

/// The part of a batch that goes to one partition, with the messages' numbers.
#[derive(Default)]
struct Part {
    records: Vec<Record>,
    sequences: Vec<u64>,
}

impl Pipe {
    async fn set_up(self: Rc<Self>) -> anyhow::Result<()> {
        let brokers = self.context.shared.services.kafka.clone();
        let backoff = BackoffConfig { deadline: Some(PRODUCE_TIMEOUT), ..Default::default() };
        let client = ClientBuilder::new(brokers).backoff_config(backoff).build().await?;
        let controller = client.controller_client()?;
        controller.create_topic(&self.topic, self.params.partitions, 1, TOPIC_TIMEOUT_MS).await?;
        let mut producers = Vec::new();
        for partition in 0..self.params.partitions {
            producers.push(self.partition_client(&client, partition).await?);
            // A connection of its own: a fetch that waits must not hold up what is produced.
            let consumer = Arc::new(self.partition_client(&client, partition).await?);
            let start = consumer.get_offset(OffsetAt::Earliest).await?;
            let task = Rc::clone(&self).consume(consumer, start);
            self.consumers.borrow_mut().spawn_local(task);
        }
        // Set up once only.
        let _ = self.connection.set(Connection { client, producers });
        Ok(())
    }

    async fn partition_client(
        &self,
        client: &Client,
        partition: i32,
    ) -> rskafka::client::error::Result<PartitionClient> {
        client.partition_client(&self.topic, partition, UnknownTopicHandling::Retry).await
    }

    async fn produce_batch(&self, iteration: Iteration) {
        let Some(connection) = self.connection.get() else { return };
        let parts = self.make_batch(iteration);
        let produce = parts.into_iter().zip(&connection.producers).zip(&self.ledgers).map(
            |((part, producer), ledger)| async move {
                let Part { records, sequences } = part;
                if records.is_empty() {
                    return true;
                }
                let work = producer.produce(records, Compression::NoCompression);
                let produced = tokio::time::timeout(PRODUCE_TIMEOUT, work).await;
                match produced {
                    Ok(Ok(_)) => {
                        let ledger = &mut *ledger.borrow_mut();
                        sequences.iter().for_each(|sequence| ledger.acknowledge(*sequence));
                        let count = sequences.len() as u64;
                        self.context.registry().add(self.samples.sent, count);
                        true
                    }
                    Ok(Err(error)) => self.failed(PRODUCE, &error),
                    Err(_) => self.failed(PRODUCE, &"no answer in time"),
                }
            },
        );
        let acknowledged = join_all(produce).await.into_iter().all(|done| done);
        self.samples.is_acknowledged.that(acknowledged);
    }

    fn make_batch(&self, iteration: Iteration) -> Vec<Part> {
        let due = iteration.intended_start.saturating_duration_since(self.epoch);
        let due_nanos = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
        let timestamp = Timestamp::from(SystemTime::now());
        let mut parts: Vec<Part> = self.ledgers.iter().map(|_| Part::default()).collect();
        for _ in 0..self.params.messages {
            let number = self.next_key.replace(self.next_key.get() + 1);
            let key = format!("customer-{:05}", number % KEYS).into_bytes();
            let partition = partition_for_key(&key, self.params.partitions).unsigned_abs();
            let place = partition as usize;
            let (Some(part), Some(ledger)) = (parts.get_mut(place), self.ledgers.get(place)) else {
                continue;
            };
            let header = Header {
                run_id: self.context.shared.run_id,
                shard: self.context.shared.stripe.index,
                partition,
                sequence: ledger.borrow_mut().issue(),
                due_nanos,
            };
            part.sequences.push(header.sequence);
            let value = Some(header.encode(self.params.size_bytes as usize));
            let headers = BTreeMap::new();
            part.records.push(Record { key: Some(key), value, headers, timestamp });
        }
        parts
    }

    async fn consume(self: Rc<Self>, consumer: Arc<PartitionClient>, start: i64) {
        let mut next = start;
        loop {
            match consumer.fetch_records(next, FETCH_BYTES, FETCH_WAIT_MS).await {
                Ok((records, _)) => {
                    next = records.last().map_or(next, |last| last.offset + 1);
                    self.take(&records);
                }
                Err(error) => {
                    self.failed(FETCH, &error);
                    tokio::time::sleep(FETCH_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, records: &[RecordAndOffset]) {
        let registry = self.context.registry();
        let now = self.epoch.elapsed();
        for RecordAndOffset { record, .. } in records {
            let header = record.value.as_deref().and_then(Header::decode);
            let Some(header) = header.filter(|header| self.is_ours(header)) else { continue };
            let Some(ledger) = self.ledgers.get(header.partition as usize) else { continue };
            let arrival = ledger.borrow_mut().receive(header.sequence);
            match arrival {
                Arrival::First => {
                    let due = Duration::from_nanos(header.due_nanos);
                    registry.add(self.samples.received, 1);
                    registry.observe(self.samples.latency, now.saturating_sub(due));
                }
                Arrival::Repeated => registry.add(self.samples.duplicated, 1),
                Arrival::Foreign => {}
            }
        }
    }

    fn is_ours(&self, header: &Header) -> bool {
        let shared = &self.context.shared;
        header.run_id == shared.run_id && header.shard == shared.stripe.index
    }

    /// Counts an error; always false, for it is the end of what failed.
    fn failed(&self, what: &'static str, error: &dyn std::fmt::Display) -> bool {
        tracing::warn!(topic = self.topic, %error, "{what} failed");
        if let Some((_, counter)) = self.samples.errors.iter().find(|(kind, _)| *kind == what) {
            self.context.registry().add(*counter, 1);
        }
        false
    }

    fn missing(&self) -> u64 {
        self.ledgers.iter().map(|ledger| ledger.borrow().missing()).sum()
    }

    async fn tear_down(&self) {
        let deadline = Instant::now() + self.params.drain_timeout;
        while self.missing() > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        self.context.registry().add(self.samples.lost, self.missing());
        self.consumers.borrow_mut().abort_all();
        let Some(connection) = self.connection.get() else { return };
        if let Err(error) = delete(&connection.client, &self.topic).await {
            tracing::warn!(topic = self.topic, %error, "cannot delete the topic");
        }
    }
}

async fn delete(client: &Client, topic: &str) -> anyhow::Result<()> {
    let controller = client.controller_client()?;
    let work = controller.delete_topic(topic, TOPIC_TIMEOUT_MS);
    Ok(tokio::time::timeout(SET_UP_TIMEOUT, work).await??)
}
