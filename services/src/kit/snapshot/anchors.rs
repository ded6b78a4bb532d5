//! Whether the log is still the one that a snapshot was made of.
//!
//! Another cluster, a topic that was deleted and created again, a broker that lost its end: each has other
//! records at the same offsets, or none.

use std::time::Duration;

use contract::topics::Topic;
use futures_util::future::try_join_all;

use super::cut::{Anchor, Cut};
use crate::kit::log::{Log, LogError};
use crate::kit::record::{Decoded, decode};

/// How long the log may take to show a record. Then all of it is folded, which takes longer still.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Fetches the last record that `cut` contains of each partition, and compares.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn recognise(log: &Log, cut: &Cut) -> Result<(), String> {
    let anchored = cut.iter().filter_map(|((topic, partition), mark)| {
        mark.anchor.map(|anchor| recognise_one(log, *topic, *partition, anchor))
    });
    try_join_all(anchored).await.map(drop)
}

async fn recognise_one(
    log: &Log,
    topic: Topic,
    partition: i32,
    anchor: Anchor,
) -> Result<(), String> {
    let deadline = log.clock.monotonic() + PATIENCE;
    let (name, offset) = (topic.name(), anchor.offset);
    let found = loop {
        match fetch(log, topic, partition, offset).await {
            Ok(found) => break found,
            Err(LogError::OffsetOutOfRange) => break None,
            Err(error) if log.clock.monotonic() >= deadline => {
                return Err(format!("{name}/{partition} could not be read: {error}"));
            }
            Err(_unavailable) => tokio::time::sleep(PAUSE).await,
        }
    };
    match found {
        Some(found) if found == anchor => Ok(()),
        Some(_) => Err(format!("{name}/{partition} has another record at offset {offset}")),
        None => Err(format!("{name}/{partition} has no record at offset {offset}")),
    }
}

async fn fetch(
    log: &Log,
    topic: Topic,
    partition: i32,
    offset: i64,
) -> Result<Option<Anchor>, LogError> {
    let source = log.driver.open(topic.name(), partition).await?;
    let fetched = source.fetch(offset, Duration::ZERO).await?;
    let record = fetched.records.into_iter().find(|(found, _)| *found == offset);
    Ok(record.and_then(|(_, record)| match decode(topic, partition, offset, record) {
        Decoded::Event(received) => Some(Anchor::of(&received)),
        Decoded::Unreadable(unreadable) => Some(Anchor::of_unreadable(&unreadable)),
        Decoded::UnknownType(_) => None,
    }))
}
