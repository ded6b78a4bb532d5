//! The log as services see it: topics of partitions, records at offsets, groups that share work.
//!
//! [`Driver`] is what a broker must offer. [`crate::kit::kafka`] offers it over the Kafka protocol; an
//! in-process broker can offer it as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::Timestamp;
use contract::events::Event;
use contract::topics::Topic;
use futures_util::future::BoxFuture;

use crate::cli::CommonArgs;
use crate::kit::clock::Clock;
use crate::kit::kafka::KafkaDriver;
use crate::kit::trace::TraceContext;
use crate::kit::unknown_types::UnknownTypes;

/// One event read from the log.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The `timestamp` header; the record's own timestamp where the header is missing.
    pub(crate) timestamp: Timestamp,
    /// The `event-version` header.
    pub(crate) version: &'static str,
    /// The `traceparent` header, where there is a good one.
    pub(crate) trace: Option<TraceContext>,
    /// The record's value as it stands in the log.
    pub(crate) value: Bytes,
    pub(crate) event: Event,
}

/// Where a record stands in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A record as the broker keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
    pub(crate) timestamp: Timestamp,
}

/// What one fetch brought.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// Records with their offsets, ascending; empty when none arrived in time.
    pub(crate) records: Vec<(i64, RawRecord)>,
    /// One past the last record that the partition holds.
    pub(crate) high_watermark: i64,
}

/// Why the log could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// Worth trying again: nobody answered, or nobody who could help.
    #[error("{0}")]
    Unavailable(String),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the partition does not hold that offset")]
    OffsetOutOfRange,
    /// Not now, and maybe never: others may have our work.
    #[error("the group's coordinator has not confirmed this member for too long")]
    NoLease,
    /// Not worth trying again unchanged.
    #[error("refused: {0}")]
    Refused(String),
}

/// One partition, for reading or for appending, over a connection of its own.
pub(crate) trait PartitionLog: Send + Sync {
    /// Records from `offset` on; waits up to `max_wait` for the first.
    fn fetch(&self, offset: i64, max_wait: Duration) -> BoxFuture<'_, Result<Fetched, LogError>>;
    /// Appends records together; the offset of the first.
    fn append(&self, records: Vec<RawRecord>) -> BoxFuture<'_, Result<i64, LogError>>;
    /// The offset of the oldest record kept.
    fn earliest(&self) -> BoxFuture<'_, Result<i64, LogError>>;
}

/// Bytes to and from one broker: a request frame out, its answer back (both without length prefix).
pub(crate) trait ByteTransport: Send {
    fn call(&mut self, frame: Bytes, patience: Duration) -> BoxFuture<'_, std::io::Result<Bytes>>;
}

/// What a broker must offer.
pub(crate) trait Driver: Send + Sync {
    fn open<'a>(
        &'a self,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Arc<dyn PartitionLog>, LogError>>;
    /// Name and number of partitions of every topic.
    fn topics(&self) -> BoxFuture<'_, Result<Vec<(String, usize)>, LogError>>;
    /// Creates a topic; one that exists already is left as it is.
    fn create_topic<'a>(
        &'a self,
        topic: &'a str,
        partitions: i32,
    ) -> BoxFuture<'a, Result<(), LogError>>;
    /// A connection for group requests, to `address` or, without one, to any broker.
    fn connect<'a>(
        &'a self,
        address: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn ByteTransport>, LogError>>;
}

/// A handle on the log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) clock: Clock,
    /// Of each of the shop's topics.
    pub(crate) partitions: i32,
    /// How long records may gather before they are fetched together.
    pub(crate) fetch_linger: Duration,
    /// How long a member of a group may be silent before others get its work.
    pub(crate) session_timeout: Duration,
    pub(crate) unknown_types: Arc<UnknownTypes>,
}

impl Log {
    /// Waits for a broker and makes sure that the shop's topics exist.
    ///
    /// # Errors
    /// When a topic has another number of partitions, or may not be created.
    pub(crate) async fn connect(
        args: &CommonArgs,
        service: &'static str,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let driver = KafkaDriver::new(args.kafka.clone(), service);
        let log = Self {
            driver: Arc::new(driver),
            clock,
            partitions: args.partitions,
            fetch_linger: args.fetch_linger(),
            session_timeout: args.session_timeout(),
            unknown_types: Arc::default(),
        };
        crate::kit::kafka::topics::ensure(&log, &args.kafka.join(",")).await?;
        Ok(log)
    }
}
