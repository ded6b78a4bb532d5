//! One partition's log: record batches in offset order, with retention from the front. The index of
//! them is in memory; the batches are there too, or in segments behind the storage port.

pub(crate) mod batch;
pub(crate) mod records;
mod store;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use self::batch::{BatchHeader, PATCHED_BYTES};
use self::records::look_at_records;
use self::store::Store;
use crate::error::ErrorCode;
use crate::storage::{Failed, Segments};
use crate::wire::Outbox;

/// Nothing here fails over, so every partition stays in its first leader epoch.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// Batches that one lookup of a timestamp looks into.
const MAX_BATCHES_LOOKED_INTO: usize = 4;

/// What retention may keep. `None` keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) bytes: Option<u64>,
    pub(crate) ms: Option<i64>,
}

/// What is known of a batch without reading it: 32 bytes.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    base_offset: i64,
    max_timestamp: i64,
    last_offset_delta: u32,
    length: u32,
    /// In its segment; the first batch of each segment is at 0.
    position: u32,
}

impl Indexed {
    fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }
}

/// Where the batches are.
#[derive(Debug)]
enum Batches {
    /// As they came, or copied, one for each entry of the index; the base offset is put in place
    /// when one is read.
    Memory { bytes: VecDeque<Bytes>, store: Store },
    /// As they are sent to clients.
    Segments(Box<dyn Segments>),
}

#[derive(Debug)]
pub(crate) struct Log {
    index: VecDeque<Indexed>,
    batches: Batches,
    log_start_offset: i64,
    end_offset: i64,
    size_bytes: u64,
    /// There was more once, and what is there now cannot be read.
    damaged: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self::new(None)
    }
}

/// A stretch of batches that one Fetch answers with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    batches: Range<usize>,
    pub(crate) size_bytes: usize,
}

/// A stretch that can be written: with what had to be read for it.
#[derive(Debug)]
pub(crate) struct Loaded<'a> {
    stretch: &'a Stretch,
    /// One piece for each segment that the stretch touches.
    pieces: Vec<Bytes>,
}

impl Log {
    /// An empty log that keeps its batches in `segments`, or else in memory.
    pub(crate) fn new(segments: Option<Box<dyn Segments>>) -> Self {
        let in_memory = || Batches::Memory { bytes: VecDeque::new(), store: Store::default() };
        Self {
            index: VecDeque::new(),
            batches: segments.map_or_else(in_memory, Batches::Segments),
            log_start_offset: 0,
            end_offset: 0,
            size_bytes: 0,
            damaged: false,
        }
    }

    /// Fills the log with what its segments hold, from `log_start_offset` on if that is later.
    pub(crate) fn recover(
        &mut self,
        log_start_offset: i64,
        each: &mut dyn FnMut(&BatchHeader),
    ) -> Result<(), Failed> {
        let Batches::Segments(segments) = &mut self.batches else { return Ok(()) };
        let (index, size_bytes) = (&mut self.index, &mut self.size_bytes);
        let recovered = segments.recover(&mut |header, position, length| {
            each(header);
            let indexed = Indexed {
                base_offset: header.base_offset,
                max_timestamp: header.max_timestamp,
                last_offset_delta: (header.record_count - 1) as u32,
                length,
                position,
            };
            if indexed.last_offset() >= log_start_offset {
                index.push_back(indexed);
                *size_bytes += u64::from(length);
            }
        })?;
        self.damaged = recovered.damaged;
        self.end_offset = recovered.end_offset;
        self.log_start_offset = recovered.start_offset.max(log_start_offset).min(self.end_offset);
        Ok(())
    }

    pub(crate) fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    /// The next offset to be given: with one replica everything appended is committed at once.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.end_offset
    }

    /// Bytes of all batches that are kept.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// A segment on disk that has reached this size is followed by a new one.
    pub(crate) fn roll_at(&mut self, segment_bytes: u32) {
        if let Batches::Segments(segments) = &mut self.batches {
            segments.roll_at(segment_bytes);
        }
    }

    /// Whether anything can be appended, other than for want of room.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR where an append would leave a hole or could not be trusted.
    pub(crate) fn writable(&self) -> Result<(), ErrorCode> {
        match &self.batches {
            _ if self.damaged => Err(ErrorCode::KafkaStorageError),
            Batches::Memory { .. } => Ok(()),
            Batches::Segments(segments) => Ok(segments.writable()?),
        }
    }

    /// Appends a checked batch and returns its base offset.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR, and nothing has changed.
    pub(crate) fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<i64, ErrorCode> {
        let base_offset = self.end_offset;
        let position = match &mut self.batches {
            Batches::Memory { bytes, store } => {
                bytes.push_back(store.keep(batch));
                0
            }
            Batches::Segments(_) if self.damaged => return Err(ErrorCode::KafkaStorageError),
            Batches::Segments(segments) => segments.append(base_offset, batch)?,
        };
        self.end_offset += i64::from(header.record_count);
        self.size_bytes += batch.len() as u64;
        self.index.push_back(Indexed {
            base_offset,
            max_timestamp: header.max_timestamp,
            last_offset_delta: (header.record_count - 1) as u32,
            length: batch.len() as u32,
            position,
        });
        Ok(base_offset)
    }

    /// The batches from the one that contains `offset` on, up to `max_bytes`; the first one is
    /// included however large it is when `at_least_one`, so that a reader always gets on.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE before the log's start or behind its end; KAFKA_STORAGE_ERROR at and
    /// behind the end of a damaged log, where records are that cannot be read.
    pub(crate) fn stretch(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Stretch, ErrorCode> {
        if self.damaged && offset >= self.end_offset {
            return Err(ErrorCode::KafkaStorageError);
        }
        if offset < self.log_start_offset || offset > self.end_offset {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let first = self.batch_with(offset);
        let mut size_bytes = 0;
        let mut end = first;
        for indexed in self.index.range(first..) {
            let grown = size_bytes + indexed.length as usize;
            if grown > max_bytes && !(at_least_one && end == first) {
                break;
            }
            size_bytes = grown;
            end += 1;
        }
        Ok(Stretch { batches: first..end, size_bytes })
    }

    /// Index of the batch that contains `offset`: the newest one is asked for most often.
    fn batch_with(&self, offset: i64) -> usize {
        match self.index.back() {
            Some(last) if offset > last.last_offset() => self.index.len(),
            Some(last) if offset >= last.base_offset => self.index.len() - 1,
            _ => self.index.partition_point(|indexed| indexed.last_offset() < offset),
        }
    }

    /// Reads what has to be read before a stretch, taken in the same step, can be written.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR.
    pub(crate) fn load<'a>(&self, stretch: &'a Stretch) -> Result<Loaded<'a>, ErrorCode> {
        let mut loaded = Loaded { stretch, pieces: Vec::new() };
        let Batches::Segments(segments) = &self.batches else { return Ok(loaded) };
        let mut batches = self.index.range(stretch.batches.clone()).peekable();
        while let Some(first) = batches.next() {
            let mut length = first.length as usize;
            while let Some(next) = batches.next_if(|next| next.position != 0) {
                length += next.length as usize;
            }
            loaded.pieces.push(segments.read(first.base_offset, first.position, length)?);
        }
        Ok(loaded)
    }

    /// Writes a stretch of this log with its offsets in place.
    pub(crate) fn write(&self, loaded: &Loaded<'_>, outbox: &mut Outbox) {
        let Batches::Memory { bytes, .. } = &self.batches else {
            loaded.pieces.iter().for_each(|piece| outbox.put_bytes_from(piece, 0));
            return;
        };
        let range = loaded.stretch.batches.clone();
        for (indexed, bytes) in self.index.range(range.clone()).zip(bytes.range(range)) {
            let fields = outbox.fields();
            fields.extend_from_slice(&indexed.base_offset.to_be_bytes());
            fields.extend_from_slice(&bytes[8..12]);
            fields.extend_from_slice(&LEADER_EPOCH.to_be_bytes());
            outbox.put_bytes_from(bytes, PATCHED_BYTES);
        }
    }

    /// Drops whole batches from the front until retention is met. Returns whether any went.
    pub(crate) fn retain(&mut self, retention: Retention, wall_ms: i64) -> bool {
        let before = self.log_start_offset;
        let mut size_bytes = self.size_bytes;
        let mut start_offset = before;
        for (at, indexed) in self.index.iter().enumerate() {
            let too_large = retention.bytes.is_some_and(|limit| size_bytes > limit);
            let too_old = retention
                .ms
                .is_some_and(|limit| wall_ms.saturating_sub(indexed.max_timestamp) > limit);
            // The newest batch outlives a size limit that is smaller than itself.
            if !(too_old || too_large && at + 1 < self.index.len()) {
                break;
            }
            size_bytes -= u64::from(indexed.length);
            start_offset = indexed.last_offset() + 1;
        }
        if start_offset != before {
            self.drop_before(start_offset);
        }
        self.log_start_offset != before
    }

    /// Moves the log's start, and drops the batches that end before it. Never moves it back, nor
    /// behind the end.
    pub(crate) fn drop_before(&mut self, start_offset: i64) {
        let start_offset = start_offset.clamp(self.log_start_offset, self.end_offset);
        self.log_start_offset = start_offset;
        while self.index.front().is_some_and(|first| first.last_offset() < start_offset) {
            if let Some(first) = self.index.pop_front() {
                self.size_bytes -= u64::from(first.length);
            }
            if let Batches::Memory { bytes, .. } = &mut self.batches {
                bytes.pop_front();
            }
        }
        if let Batches::Segments(segments) = &mut self.batches {
            let needed_from = self.index.front().map_or(self.end_offset, |first| first.base_offset);
            segments.drop_before(needed_from, self.end_offset);
        }
    }

    /// First offset whose timestamp is at least `timestamp`, with that timestamp.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR when a batch cannot be read.
    pub(crate) fn offset_at(&self, timestamp: i64) -> Result<Option<(i64, i64)>, ErrorCode> {
        self.first_where(|max| max >= timestamp, |time| time >= timestamp)
    }

    /// The first record with the largest timestamp of the log.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR when a batch cannot be read.
    pub(crate) fn offset_of_max_timestamp(&self) -> Result<Option<(i64, i64)>, ErrorCode> {
        let largest = self.index.iter().map(|indexed| indexed.max_timestamp).max();
        let Some(largest) = largest else { return Ok(None) };
        self.first_where(|max| max == largest, |time| time == largest)
    }

    /// The first record that qualifies, of the batches whose largest timestamp says that they have one.
    /// Few are looked into, since only a lying header or a deleted record leads to the next.
    fn first_where(
        &self,
        may: impl Fn(i64) -> bool,
        qualifies: impl Fn(i64) -> bool,
    ) -> Result<Option<(i64, i64)>, ErrorCode> {
        let candidates = self.index.iter().enumerate();
        let mut candidates = candidates.filter(|(_, indexed)| may(indexed.max_timestamp));
        for (at, _) in candidates.by_ref().take(MAX_BATCHES_LOOKED_INTO) {
            let found = self.first_record(at, &qualifies)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        candidates.next().map(|(at, _)| self.first_offset(at)).transpose()
    }

    /// The first record of a batch that qualifies and is not deleted. Where records cannot be read,
    /// the batch's first offset is the answer: a reader meets what it asked for a little later.
    fn first_record(
        &self,
        at: usize,
        qualifies: impl Fn(i64) -> bool,
    ) -> Result<Option<(i64, i64)>, ErrorCode> {
        let indexed = self.index[at];
        let batch = self.batch(at)?;
        let mut found = None;
        let read = look_at_records(&batch, |record| {
            let offset = indexed.base_offset + record.offset_delta;
            if offset < self.log_start_offset || !qualifies(record.timestamp) {
                return ControlFlow::Continue(());
            }
            found = Some((offset, record.timestamp));
            ControlFlow::Break(())
        });
        if read.is_err() {
            return Ok(Some(self.first_offset(at)?));
        }
        Ok(found)
    }

    fn first_offset(&self, at: usize) -> Result<(i64, i64), ErrorCode> {
        let first = self.index[at].base_offset.max(self.log_start_offset);
        Ok((first, BatchHeader::read(&self.batch(at)?).base_timestamp))
    }

    fn batch(&self, at: usize) -> Result<Bytes, ErrorCode> {
        let indexed = self.index[at];
        match &self.batches {
            Batches::Memory { bytes, .. } => Ok(bytes[at].clone()),
            Batches::Segments(segments) => {
                let length = indexed.length as usize;
                Ok(segments.read(indexed.base_offset, indexed.position, length)?)
            }
        }
    }
}
