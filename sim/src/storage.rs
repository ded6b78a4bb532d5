//! The port below the core: where batches and metadata are kept. The core decides and calls; what is
//! behind the port is memory ([`Volatile`]), a directory (`disk/`), or in tests something that fails.
//!
//! Everything here is synchronous, and nothing of it waits for a disk to sync: a write is counted
//! ([`Storage::written`]), and an answer that promises durability is held back until the count that
//! is synced ([`Storage::synced`]) has reached it.

use std::fmt::Debug;

use bytes::Bytes;
use uuid::Uuid;

use crate::error::ErrorCode;
use crate::log::batch::BatchHeader;
use crate::metadata::Entry;

/// Something could not be stored or read. Why is logged where it happened; what the client is told
/// depends on the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

impl From<Failed> for ErrorCode {
    fn from(_: Failed) -> Self {
        Self::KafkaStorageError
    }
}

/// Counts writes: what carries a smaller number was written before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// How far syncing has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    /// Everything up to here was tried.
    pub(crate) tried: Ticket,
    /// The newest attempt that failed: what came after the attempt before it may be lost.
    pub(crate) failed: Option<(Ticket, Ticket)>,
}

/// A partition, as it is named outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) topic: &'a str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: usize,
}

pub(crate) trait Storage: Send + Debug {
    /// Whether anything is kept at all.
    fn is_durable(&self) -> bool;

    /// Where the batches of a partition go; `None` keeps them in the log itself, in memory.
    fn segments(&mut self, place: Place<'_>) -> Option<Box<dyn Segments>>;

    /// Removes what is stored of a topic whose deletion was recorded.
    fn remove_topic(&mut self, topic: &str, topic_id: Uuid);

    /// Adds entries to the journal: all of them or none.
    fn record(&mut self, entries: &[Entry]) -> Result<(), Failed>;

    /// Whether the journal has grown (or failed) so much that it should be [rewritten](Self::rewrite).
    fn wants_rewrite(&self) -> bool;

    /// Replaces the journal by `entries`, which say the same with fewer words.
    fn rewrite(&mut self, entries: &[Entry]) -> Result<(), Failed>;

    /// Whether what is acknowledged must have been synced.
    fn syncs_before_answers(&self) -> bool;

    /// The count of writes so far.
    fn written(&self) -> Ticket;

    fn synced(&self) -> Synced;

    /// Syncs everything and lets go of the directory; writes fail from here on.
    fn close(&mut self);
}

/// What was found of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The offset of the first batch that is or was there.
    pub(crate) start_offset: i64,
    /// Behind the last sound batch.
    pub(crate) end_offset: i64,
    /// There is more behind the end, and it cannot be read.
    pub(crate) damaged: bool,
}

/// The stored batches of one partition, in segments. The index of them is the log's.
pub(crate) trait Segments: Send + Debug {
    /// Goes through everything that is stored, batch by batch: header, position, length.
    ///
    /// A position is the batch's place in its segment: the first one of each segment is 0.
    fn recover(
        &mut self,
        each: &mut dyn FnMut(&BatchHeader, u32, u32),
    ) -> Result<Recovered, Failed>;

    /// Appends a batch under this base offset and returns its position.
    fn append(&mut self, base_offset: i64, batch: &Bytes) -> Result<u32, Failed>;

    /// Reads a stretch of one segment, as it is sent to clients.
    fn read(&self, base_offset: i64, position: u32, length: usize) -> Result<Bytes, Failed>;

    /// Whether an append can succeed, other than for want of room.
    fn writable(&self) -> Result<(), Failed>;

    /// A segment that has reached this size is followed by a new one.
    fn roll_at(&mut self, segment_bytes: u32);

    /// Drops the segments that hold nothing at or behind `start_offset`. An emptied log goes on at
    /// `end_offset`.
    fn drop_before(&mut self, start_offset: i64, end_offset: i64);
}

/// Keeps nothing: what is in memory is all there is.
#[derive(Debug, Default)]
pub(crate) struct Volatile;

impl Storage for Volatile {
    fn is_durable(&self) -> bool {
        false
    }

    fn segments(&mut self, _: Place<'_>) -> Option<Box<dyn Segments>> {
        None
    }

    fn remove_topic(&mut self, _: &str, _: Uuid) {}

    fn record(&mut self, _: &[Entry]) -> Result<(), Failed> {
        Ok(())
    }

    fn wants_rewrite(&self) -> bool {
        false
    }

    fn rewrite(&mut self, _: &[Entry]) -> Result<(), Failed> {
        Ok(())
    }

    fn syncs_before_answers(&self) -> bool {
        false
    }

    fn written(&self) -> Ticket {
        Ticket(0)
    }

    fn synced(&self) -> Synced {
        Synced::default()
    }

    fn close(&mut self) {}
}
