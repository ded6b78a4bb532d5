//! One partition over rskafka.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient};
use rskafka::record::Record;

use super::within;
use crate::kit::log::{Fetched, LogError, PartitionLog, RawRecord};

/// How long the broker may take beyond the wait that it was asked for.
const FETCH_PATIENCE: Duration = Duration::from_secs(3);

/// How long an append may take, rskafka's own retries included.
pub(crate) const APPEND_PATIENCE: Duration = Duration::from_secs(3);

/// Bytes in one fetch: what a reader may hold in memory at a time.
const FETCH_BYTES: std::ops::Range<i32> = 1..1_048_577;

/// A partition client, which has a connection of its own.
pub(crate) struct RskafkaPartition {
    client: PartitionClient,
}

impl RskafkaPartition {
    pub(crate) const fn new(client: PartitionClient) -> Self {
        Self { client }
    }
}

impl PartitionLog for RskafkaPartition {
    fn fetch(&self, offset: i64, max_wait: Duration) -> BoxFuture<'_, Result<Fetched, LogError>> {
        let max_wait_ms = i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX);
        async move {
            let fetch = self.client.fetch_records(offset, FETCH_BYTES, max_wait_ms);
            let (records, high_watermark) = within(max_wait + FETCH_PATIENCE, fetch).await?;
            let records = records.into_iter().map(|fetched| (fetched.offset, from(fetched.record)));
            Ok(Fetched { records: records.collect(), high_watermark })
        }
        .boxed()
    }

    fn append(&self, records: Vec<RawRecord>) -> BoxFuture<'_, Result<i64, LogError>> {
        let records = records.into_iter().map(to).collect();
        async move {
            let produce = self.client.produce(records, Compression::NoCompression);
            let offsets = within(APPEND_PATIENCE, produce).await?;
            offsets.first().copied().ok_or_else(|| LogError::Refused("nothing to append".into()))
        }
        .boxed()
    }

    fn earliest(&self) -> BoxFuture<'_, Result<i64, LogError>> {
        within(FETCH_PATIENCE, self.client.get_offset(OffsetAt::Earliest)).boxed()
    }
}

fn from(record: Record) -> RawRecord {
    let Record { key, value, headers, timestamp } = record;
    RawRecord { key, value, headers, timestamp }
}

fn to(record: RawRecord) -> Record {
    let RawRecord { key, value, headers, timestamp } = record;
    Record { key, value, headers, timestamp }
}
