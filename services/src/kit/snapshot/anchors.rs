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

/// What a record tells that the log has deleted because of its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// Nothing: the state lives on without the log.
    Passes,
    /// That the log is no longer whole.
    Fails,
}

/// Fetches the last record that `cut` contains of each partition, and compares.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn recognise(log: &Log, cut: &Cut, deleted: Deleted) -> Result<(), String> {
    let anchored = cut.iter().filter_map(|((topic, partition), mark)| {
        mark.anchor.map(|anchor| recognise_one(log, *topic, *partition, anchor, deleted))
    });
    try_join_all(anchored).await.map(drop)
}

/// What stands at an offset.
enum Found {
    Record(Anchor),
    Nothing,
    /// The log begins after it.
    Deleted,
}

async fn recognise_one(
    log: &Log,
    topic: Topic,
    partition: i32,
    anchor: Anchor,
    deleted: Deleted,
) -> Result<(), String> {
    let deadline = log.clock.monotonic() + PATIENCE;
    let (name, offset) = (topic.name(), anchor.offset);
    let found = loop {
        match fetch(log, topic, partition, offset).await {
            Ok(found) => break found,
            Err(error) if log.clock.monotonic() >= deadline => {
                return Err(format!("{name}/{partition} could not be read: {error}"));
            }
            Err(_unavailable) => tokio::time::sleep(PAUSE).await,
        }
    };
    match found {
        Found::Record(found) if found == anchor => Ok(()),
        Found::Deleted if deleted == Deleted::Passes => Ok(()),
        Found::Record(_) => {
            Err(format!("{name}/{partition} has another record at offset {offset}"))
        }
        Found::Nothing => Err(format!("{name}/{partition} has no record at offset {offset}")),
        Found::Deleted => Err(format!("{name}/{partition} begins after offset {offset}")),
    }
}

async fn fetch(log: &Log, topic: Topic, partition: i32, offset: i64) -> Result<Found, LogError> {
    let source = log.driver.open(topic.name(), partition).await?;
    let fetched = match source.fetch(offset, Duration::ZERO).await {
        Ok(fetched) => fetched,
        Err(LogError::OffsetOutOfRange) => {
            let is_deleted = offset < source.earliest().await?;
            return Ok(if is_deleted { Found::Deleted } else { Found::Nothing });
        }
        Err(error) => return Err(error),
    };
    let Some((_, record)) = fetched.records.into_iter().find(|(found, _)| *found == offset) else {
        return Ok(Found::Nothing);
    };
    Ok(match decode(topic, partition, offset, record) {
        Decoded::Event(received) => Found::Record(Anchor::of(&received)),
        Decoded::Unreadable(unreadable) => Found::Record(Anchor::of_unreadable(&unreadable)),
        Decoded::UnknownType(_) => Found::Nothing,
    })
}
