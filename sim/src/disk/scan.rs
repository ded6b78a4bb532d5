//! Reads a segment from the beginning, batch by batch, and tells a torn tail from damage: behind a
//! tail that was torn there is nothing, behind damage there are sound batches.

use std::io;

use super::files::Handle;
use crate::log::LEADER_EPOCH;
use crate::log::batch::{BatchHeader, HEADER_BYTES};

const READ_BYTES: usize = 1024 * 1024;
/// A batch's length field counts what comes behind it.
const LENGTH_AT: usize = 8;
const LENGTH_COUNTS_FROM: u64 = 12;
const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;
/// More records than one segment can hold behind a damaged batch.
const FARTHEST: i64 = 1 << 40;

/// Where a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With its last sound batch.
    Sound,
    /// With something behind its last sound batch that is none.
    Torn,
    /// There are sound batches behind something that is none.
    Damaged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Up to the first thing that is no sound batch.
    pub(super) sound_bytes: u64,
    pub(super) next_offset: i64,
    pub(super) end: End,
}

/// Scans a segment whose first batch should have the offset `base_offset`.
///
/// # Errors
/// The file cannot be read.
pub(super) fn scan(
    handle: &mut dyn Handle,
    base_offset: i64,
    each: &mut dyn FnMut(&BatchHeader, u32, u32),
) -> io::Result<Scanned> {
    let mut window = Window::new(handle)?;
    let mut scanned = Scanned { sound_bytes: 0, next_offset: base_offset, end: End::Sound };
    while scanned.sound_bytes < window.file_bytes {
        let Some((header, length)) = window.batch_at(scanned.sound_bytes)? else {
            scanned.end = bad_end(&mut window, &scanned)?;
            break;
        };
        let Ok(position) = u32::try_from(scanned.sound_bytes) else {
            scanned.end = End::Damaged;
            break;
        };
        if header.base_offset != scanned.next_offset {
            scanned.end = bad_end(&mut window, &scanned)?;
            break;
        }
        each(&header, position, length as u32);
        scanned.next_offset += i64::from(header.record_count);
        scanned.sound_bytes += length;
    }
    Ok(scanned)
}

fn bad_end(window: &mut Window<'_>, scanned: &Scanned) -> io::Result<End> {
    let mut position = scanned.sound_bytes + 1;
    while position + HEADER_BYTES as u64 <= window.file_bytes {
        if window.could_begin_at(position, scanned.next_offset)?
            && window.batch_at(position)?.is_some()
        {
            return Ok(End::Damaged);
        }
        position += 1;
    }
    Ok(End::Torn)
}

/// A piece of a file that is read forward.
struct Window<'a> {
    handle: &'a mut dyn Handle,
    file_bytes: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(handle: &'a mut dyn Handle) -> io::Result<Self> {
        let file_bytes = handle.length()?;
        Ok(Self { handle, file_bytes, start: 0, bytes: Vec::new() })
    }

    /// `length` bytes at `position`, which the file has.
    fn get(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let covered = position >= self.start
            && position + length as u64 <= self.start + self.bytes.len() as u64;
        if !covered {
            let left = self.file_bytes - position;
            let wanted = left.min(length.max(READ_BYTES) as u64);
            self.bytes.resize(wanted as usize, 0);
            self.handle.read_at(position, &mut self.bytes)?;
            self.start = position;
        }
        let from = (position - self.start) as usize;
        Ok(&self.bytes[from..from + length])
    }

    /// The sound batch at `position`, if there is one: header and length.
    fn batch_at(&mut self, position: u64) -> io::Result<Option<(BatchHeader, u64)>> {
        let left = self.file_bytes - position;
        if left < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let header = self.get(position, HEADER_BYTES)?;
        let epoch = header[EPOCH_AT..EPOCH_AT + 4] == LEADER_EPOCH.to_be_bytes();
        let length = length_of(header);
        if !epoch || length < HEADER_BYTES as u64 || length > left {
            return Ok(None);
        }
        let batch = self.get(position, length as usize)?;
        Ok(BatchHeader::check(batch).ok().map(|header| (header, length)))
    }

    /// A cheap look, before an expensive one, for a batch of the same log behind `offset`.
    fn could_begin_at(&mut self, position: u64, offset: i64) -> io::Result<bool> {
        let header = self.get(position, HEADER_BYTES)?;
        let base_offset = header.first_chunk().copied().map_or(0, i64::from_be_bytes);
        let near = (1..=FARTHEST).contains(&base_offset.saturating_sub(offset));
        Ok(header[MAGIC_AT] == MAGIC && near)
    }
}

fn length_of(header: &[u8]) -> u64 {
    let field = header[LENGTH_AT..].first_chunk::<4>().copied().unwrap_or_default();
    LENGTH_COUNTS_FROM + u64::from(u32::from_be_bytes(field))
}
