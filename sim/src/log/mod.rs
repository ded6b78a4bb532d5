//! One partition's log: record batches in memory, in offset order, with retention from the front.

pub(crate) mod batch;
pub(crate) mod records;
mod store;

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use self::batch::{BatchHeader, PATCHED_BYTES};
use self::records::look_at_records;
use self::store::Store;
use crate::error::ErrorCode;
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

#[derive(Debug)]
struct StoredBatch {
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    /// As it came, or copied; the base offset is put in place when it is read.
    bytes: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<StoredBatch>,
    store: Store,
    log_start_offset: i64,
    end_offset: i64,
    size_bytes: u64,
}

/// A stretch of batches that one Fetch answers with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    batches: Range<usize>,
    pub(crate) size_bytes: usize,
}

impl Log {
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

    /// Appends a checked batch and returns its base offset.
    pub(crate) fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> i64 {
        let base_offset = self.end_offset;
        self.end_offset += i64::from(header.record_count);
        self.size_bytes += batch.len() as u64;
        self.batches.push_back(StoredBatch {
            base_offset,
            last_offset: self.end_offset - 1,
            max_timestamp: header.max_timestamp,
            bytes: self.store.keep(batch),
        });
        base_offset
    }

    /// The batches from the one that contains `offset` on, up to `max_bytes`; the first one is
    /// included however large it is when `at_least_one`, so that a reader always gets on.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE before the log's start or behind its end.
    pub(crate) fn stretch(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Stretch, ErrorCode> {
        if offset < self.log_start_offset || offset > self.end_offset {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let first = self.batch_with(offset);
        let mut size_bytes = 0;
        let mut end = first;
        for stored in self.batches.range(first..) {
            let grown = size_bytes + stored.bytes.len();
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
        match self.batches.back() {
            Some(last) if offset > last.last_offset => self.batches.len(),
            Some(last) if offset >= last.base_offset => self.batches.len() - 1,
            _ => self.batches.partition_point(|stored| stored.last_offset < offset),
        }
    }

    /// Writes a stretch of this log, taken in the same step, with its offsets in place.
    pub(crate) fn write(&self, stretch: &Stretch, outbox: &mut Outbox) {
        for stored in self.batches.range(stretch.batches.clone()) {
            let fields = outbox.fields();
            fields.extend_from_slice(&stored.base_offset.to_be_bytes());
            fields.extend_from_slice(&stored.bytes[8..12]);
            fields.extend_from_slice(&LEADER_EPOCH.to_be_bytes());
            outbox.put_bytes_from(&stored.bytes, PATCHED_BYTES);
        }
    }

    /// Drops whole batches from the front until retention is met. Returns whether any went.
    pub(crate) fn retain(&mut self, retention: Retention, wall_ms: i64) -> bool {
        let before = self.log_start_offset;
        while let Some(first) = self.batches.front() {
            let too_large = retention.bytes.is_some_and(|limit| self.size_bytes > limit);
            let too_old = retention
                .ms
                .is_some_and(|limit| wall_ms.saturating_sub(first.max_timestamp) > limit);
            // The newest batch outlives a size limit that is smaller than itself.
            if !(too_old || too_large && self.batches.len() > 1) {
                break;
            }
            self.log_start_offset = first.last_offset + 1;
            self.size_bytes -= first.bytes.len() as u64;
            self.batches.pop_front();
        }
        self.log_start_offset != before
    }

    /// Moves the log's start, and drops the batches that end before it. Never moves it back, nor
    /// behind the end.
    pub(crate) fn drop_before(&mut self, start_offset: i64) {
        let start_offset = start_offset.clamp(self.log_start_offset, self.end_offset);
        self.log_start_offset = start_offset;
        while let Some(first) = self.batches.front() {
            if first.last_offset >= start_offset {
                break;
            }
            self.size_bytes -= first.bytes.len() as u64;
            self.batches.pop_front();
        }
    }

    /// First offset whose timestamp is at least `timestamp`, with that timestamp.
    pub(crate) fn offset_at(&self, timestamp: i64) -> Option<(i64, i64)> {
        let late_enough = self.batches.iter().filter(|stored| stored.max_timestamp >= timestamp);
        self.first_of(late_enough, |time| time >= timestamp)
    }

    /// The first record with the largest timestamp of the log.
    pub(crate) fn offset_of_max_timestamp(&self) -> Option<(i64, i64)> {
        let largest = self.batches.iter().map(|stored| stored.max_timestamp).max()?;
        let latest = self.batches.iter().filter(|stored| stored.max_timestamp == largest);
        self.first_of(latest, |time| time == largest)
    }

    /// The first record that qualifies in batches whose headers say that they have one. Few are
    /// looked into, since only a lying header or a deleted record leads to the next.
    fn first_of<'a>(
        &self,
        mut batches: impl Iterator<Item = &'a StoredBatch>,
        qualifies: impl Fn(i64) -> bool,
    ) -> Option<(i64, i64)> {
        let looked_into = batches.by_ref().take(MAX_BATCHES_LOOKED_INTO);
        let mut found = looked_into.filter_map(|stored| self.first_record(stored, &qualifies));
        if let Some(found) = found.next() {
            return Some(found);
        }
        batches.next().map(|stored| self.first_offset(stored))
    }

    /// The first record of a batch that qualifies and is not deleted. Where records cannot be read,
    /// the batch's first offset is the answer: a reader meets what it asked for a little later.
    fn first_record(
        &self,
        stored: &StoredBatch,
        qualifies: impl Fn(i64) -> bool,
    ) -> Option<(i64, i64)> {
        let mut found = None;
        let read = look_at_records(&stored.bytes, |record| {
            let offset = stored.base_offset + record.offset_delta;
            if offset < self.log_start_offset || !qualifies(record.timestamp) {
                return ControlFlow::Continue(());
            }
            found = Some((offset, record.timestamp));
            ControlFlow::Break(())
        });
        if read.is_err() {
            return Some(self.first_offset(stored));
        }
        found
    }

    fn first_offset(&self, stored: &StoredBatch) -> (i64, i64) {
        let first = stored.base_offset.max(self.log_start_offset);
        (first, BatchHeader::read(&stored.bytes).base_timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::batch::tests::batch;
    use super::*;

    fn log_of(batches: &[Bytes]) -> Log {
        let mut log = Log::default();
        for batch in batches {
            log.append(&BatchHeader::check(batch).unwrap(), batch);
        }
        log
    }

    fn offsets(log: &Log, stretch: &Stretch) -> Vec<i64> {
        log.batches.range(stretch.batches.clone()).map(|stored| stored.base_offset).collect()
    }

    #[test]
    fn an_offset_inside_a_batch_reads_that_batch() {
        let log = log_of(&[batch(&[1, 2, 3], 9), batch(&[4], 9), batch(&[5, 6], 9)]);
        for (offset, expected) in
            [(0, vec![0, 3, 4]), (2, vec![0, 3, 4]), (3, vec![3, 4]), (5, vec![4]), (6, vec![])]
        {
            let stretch = log.stretch(offset, usize::MAX, false).unwrap();
            assert_eq!(offsets(&log, &stretch), expected, "from {offset}");
        }
        for offset in [-1, 7] {
            assert_eq!(log.stretch(offset, 9, true), Err(ErrorCode::OffsetOutOfRange));
        }
    }

    #[test]
    fn limits_hold_except_for_the_first_batch() {
        let log = log_of(&[batch(&[1], 100), batch(&[2], 100), batch(&[3], 100)]);
        let one = batch(&[1], 100).len();
        let length = |max, at_least_one| {
            let stretch = log.stretch(0, max, at_least_one).unwrap();
            (offsets(&log, &stretch).len(), stretch.size_bytes)
        };
        assert_eq!(length(2 * one, false), (2, 2 * one));
        assert_eq!(length(2 * one - 1, false), (1, one));
        assert_eq!(length(1, true), (1, one));
        assert_eq!(length(1, false), (0, 0));
    }

    #[test]
    fn written_batches_carry_their_offsets_and_still_check() {
        let log = log_of(&[batch(&[1, 2], 10), batch(&[3], 50_000)]);
        let stretch = log.stretch(0, usize::MAX, true).unwrap();
        let mut outbox = Outbox::default();
        log.write(&stretch, &mut outbox);
        let bytes = outbox.to_bytes();
        assert_eq!(bytes.len(), stretch.size_bytes);
        let second = bytes.slice(batch(&[1, 2], 10).len()..);
        assert_eq!(BatchHeader::check(&second).unwrap().base_offset, 2);
    }

    #[test]
    fn retention_moves_the_start_but_keeps_the_newest_batch_of_a_small_limit() {
        let mut log = log_of(&[batch(&[10, 11], 100), batch(&[20], 100), batch(&[30], 100)]);
        let by_bytes = Retention { bytes: Some(log.size_bytes() - 1), ms: None };
        assert!(log.retain(by_bytes, 0));
        assert_eq!((log.log_start_offset(), log.high_watermark()), (2, 4));
        assert_eq!(log.stretch(1, 1, true), Err(ErrorCode::OffsetOutOfRange));
        log.retain(Retention { bytes: Some(0), ms: None }, 0);
        assert_eq!(log.log_start_offset(), 3);
        assert!(!log.retain(Retention { bytes: None, ms: Some(5) }, 35));
        assert!(log.retain(Retention { bytes: None, ms: Some(5) }, 36));
        assert_eq!((log.log_start_offset(), log.size_bytes()), (4, 0));
    }

    #[test]
    fn timestamps_find_their_record() {
        let log = log_of(&[batch(&[10, 30, 20], 9), batch(&[25, 40], 9)]);
        assert_eq!(log.offset_at(5), Some((0, 10)));
        assert_eq!(log.offset_at(15), Some((1, 30)));
        assert_eq!(log.offset_at(31), Some((4, 40)));
        assert_eq!(log.offset_at(41), None);
        assert_eq!(log.offset_of_max_timestamp(), Some((4, 40)));
        assert_eq!(Log::default().offset_of_max_timestamp(), None);
    }

    #[test]
    fn headers_that_lie_lead_a_lookup_no_further_than_a_few_batches() {
        let lying = |timestamp: i64| {
            let mut bytes = batch(&[timestamp], 9).to_vec();
            bytes[35..43].copy_from_slice(&1_000i64.to_be_bytes());
            let checksum = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
            Bytes::from(bytes)
        };
        let mut batches: Vec<Bytes> = (0..3).map(lying).collect();
        batches.push(batch(&[500], 9));
        assert_eq!(log_of(&batches).offset_at(500), Some((3, 500)));
        let batches: Vec<Bytes> = (0..9).map(lying).collect();
        assert_eq!(log_of(&batches).offset_at(500), Some((4, 4)), "a batch's first is the answer");
    }

    #[test]
    fn the_start_moves_into_a_batch_and_never_back() {
        let mut log = log_of(&[batch(&[10], 9), batch(&[20, 21, 22], 9), batch(&[30], 9)]);
        log.drop_before(3);
        assert_eq!((log.log_start_offset(), log.batches.len()), (3, 2));
        let stretch = log.stretch(3, usize::MAX, true).unwrap();
        assert_eq!(offsets(&log, &stretch), [1, 4], "its batch is still whole");
        assert_eq!(log.stretch(2, 9, true), Err(ErrorCode::OffsetOutOfRange));
        assert_eq!(log.offset_at(20), Some((3, 22)), "deleted records are not found");
        log.drop_before(1);
        assert_eq!(log.log_start_offset(), 3);
        log.drop_before(99);
        assert_eq!((log.log_start_offset(), log.batches.len(), log.size_bytes()), (5, 0, 0));
    }
}
