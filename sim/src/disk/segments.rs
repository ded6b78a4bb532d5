//! The segments of one partition: files of batches, back to back, as Kafka writes them. Each is named
//! after the offset of its first batch, so an empty one still says where the log goes on.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::files::Handle;
use super::scan::{End, Scanned, scan};
use super::tail::{Shared, Tail};
use crate::log::LEADER_EPOCH;
use crate::log::batch::{BatchHeader, PATCHED_BYTES};
use crate::storage::{Failed, Recovered, Segments};

const SUFFIX: &str = ".log";
const NAME_DIGITS: usize = 20;
/// A partition's first segment may be the first of its topic, and that the first of all: new names in
/// the directories of the partition, the topic, all topics, and the data.
const NEW_NAMES: usize = 4;

#[derive(Debug)]
struct Segment {
    base_offset: i64,
    tail: Tail,
}

#[derive(Debug)]
pub(super) struct DiskSegments {
    shared: Arc<Shared>,
    directory: PathBuf,
    segments: VecDeque<Segment>,
    roll_at: u64,
    damaged: bool,
}

impl DiskSegments {
    /// Nothing is read or made before it is needed: a partition without records costs no file.
    pub(super) fn new(shared: Arc<Shared>, directory: PathBuf) -> Self {
        Self { shared, directory, segments: VecDeque::new(), roll_at: u64::MAX, damaged: false }
    }

    fn path(&self, base_offset: i64) -> PathBuf {
        self.directory.join(format!("{base_offset:0NAME_DIGITS$}{SUFFIX}"))
    }

    /// Starts a segment; its name and those above it have to be synced along with what it will hold.
    fn roll(&mut self, base_offset: i64) -> Result<(), Failed> {
        let tail = Tail::create(&self.shared, self.path(base_offset))?;
        self.sync_names(if self.segments.is_empty() { NEW_NAMES } else { 1 });
        self.segments.push_back(Segment { base_offset, tail });
        Ok(())
    }

    fn sync_names(&self, levels: usize) {
        let directories = self.directory.ancestors().take(levels);
        directories.for_each(|directory| self.shared.syncer.named(directory));
    }

    /// The segment to append so many bytes to.
    fn active(&mut self, base_offset: i64, length: usize) -> Result<&mut Segment, Failed> {
        let is_full = |segment: &Segment| {
            segment.tail.end > 0 && segment.tail.end + length as u64 > self.roll_at
        };
        if self.segments.back().is_none_or(is_full) {
            self.roll(base_offset)?;
        }
        self.segments.back_mut().ok_or(Failed)
    }

    fn segment_with(&self, offset: i64) -> Option<&Segment> {
        let behind = self.segments.partition_point(|segment| segment.base_offset <= offset);
        self.segments.get(behind.checked_sub(1)?)
    }

    /// Base offsets of the files that are there, in order.
    fn list(&self) -> Result<Vec<i64>, Failed> {
        let found = match self.shared.open_files.files().list(&self.directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let path = self.directory.display();
                tracing::error!(%path, %error, "cannot read the directory of a partition");
                return Err(Failed);
            }
            Ok(found) => found,
        };
        let mut offsets: Vec<i64> =
            found.iter().filter_map(|found| base_offset_of(&found.name)).collect();
        offsets.sort_unstable();
        Ok(offsets)
    }

    fn file_bytes(&self, base_offset: i64) -> u64 {
        let tail = Tail::of(&self.shared, self.path(base_offset), 0);
        self.shared.open_files.with(&tail.file, |handle| handle.length()).unwrap_or(u64::MAX)
    }

    /// What is not sound at the end of a segment: cut off, or reported and never passed.
    fn end_badly(&mut self, scanned: &Scanned, later: &[i64]) -> Result<(), Failed> {
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        let (path, position) = (segment.tail.file.path().to_owned(), scanned.sound_bytes);
        let path = path.display();
        let offset = scanned.next_offset;
        if scanned.end == End::Torn && later.is_empty() {
            tracing::warn!(%path, position, offset, "cut off a torn batch at the end of the file");
            return segment.tail.cut(&self.shared);
        }
        tracing::error!(
            "{path}: damaged at byte {position}: records from offset {offset} on are not served"
        );
        self.damaged = true;
        Ok(())
    }

    /// Removes segments that were begun and never written to, behind one whose end was torn: a power
    /// cut leaves that when it takes what was not synced.
    fn remove_empty(&self, later: &[i64]) -> Vec<i64> {
        let (empty, filled): (Vec<i64>, Vec<i64>) =
            later.iter().partition(|base_offset| self.file_bytes(**base_offset) == 0);
        if filled.is_empty() {
            empty.iter().for_each(|base_offset| self.shared.syncer.remove(self.path(*base_offset)));
        }
        filled
    }
}

impl Segments for DiskSegments {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(&BatchHeader, u32, u32),
    ) -> Result<Recovered, Failed> {
        let offsets = self.list()?;
        let Some(start_offset) = offsets.first().copied() else { return Ok(Recovered::default()) };
        let mut end_offset = start_offset;
        self.sync_names(NEW_NAMES);
        for (at, base_offset) in offsets.iter().copied().enumerate() {
            let path = self.path(base_offset);
            if base_offset != end_offset {
                let path = path.display();
                tracing::error!("{path}: the segment before it is missing: expected {end_offset}");
                self.damaged = true;
                break;
            }
            let tail = Tail::of(&self.shared, path, 0);
            let file = tail.file.clone();
            self.segments.push_back(Segment { base_offset, tail });
            let scanned =
                self.shared.open_files.with(&file, |handle| scan(handle, base_offset, each));
            let scanned = match scanned {
                Ok(scanned) => scanned,
                Err(error) => {
                    tracing::error!("{}: cannot be read: {error}", file.path().display());
                    self.damaged = true;
                    break;
                }
            };
            end_offset = scanned.next_offset;
            if let Some(segment) = self.segments.back_mut() {
                segment.tail.end = scanned.sound_bytes;
            }
            // The process that wrote this may have been killed before it was synced.
            self.shared.syncer.wrote(&file);
            if scanned.end != End::Sound {
                let later = self.remove_empty(&offsets[at + 1..]);
                self.end_badly(&scanned, &later)?;
                break;
            }
        }
        Ok(Recovered { start_offset, end_offset, damaged: self.damaged })
    }

    fn append(&mut self, base_offset: i64, batch: &Bytes) -> Result<u32, Failed> {
        self.writable()?;
        let shared = self.shared.clone();
        let mut patched = [0; PATCHED_BYTES];
        patched[..8].copy_from_slice(&base_offset.to_be_bytes());
        patched[8..12].copy_from_slice(&batch[8..12]);
        patched[12..].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
        let segment = self.active(base_offset, batch.len())?;
        let position = segment.tail.append(&shared, &[&patched, &batch[PATCHED_BYTES..]])?;
        shared.syncer.wrote(&segment.tail.file);
        Ok(position as u32)
    }

    fn read(&self, base_offset: i64, position: u32, length: usize) -> Result<Bytes, Failed> {
        let segment = self.segment_with(base_offset).ok_or(Failed)?;
        let file = &segment.tail.file;
        let read = self.shared.buffers.fill(length, |bytes| {
            let read = |handle: &mut dyn Handle| handle.read_at(u64::from(position), bytes);
            self.shared.open_files.with(file, read)
        });
        match read {
            Ok(bytes) => {
                self.shared.has_read();
                Ok(bytes)
            }
            Err(error) => Err(self.shared.could_not_read(file.path(), position, &error)),
        }
    }

    fn writable(&self) -> Result<(), Failed> {
        if self.damaged || self.shared.is_closed() {
            return Err(Failed);
        }
        self.segments.back().map_or(Ok(()), |active| active.tail.writable(&self.shared))
    }

    fn roll_at(&mut self, segment_bytes: u32) {
        self.roll_at = u64::from(segment_bytes);
    }

    fn drop_before(&mut self, start_offset: i64, end_offset: i64) {
        let emptied = start_offset >= end_offset && !self.damaged;
        let holds_something = self.segments.back().is_some_and(|active| active.tail.end > 0);
        // Without a new one the old one simply stays until the next time.
        if emptied && holds_something && self.writable().is_ok() && self.roll(end_offset).is_err() {
            return;
        }
        while self.segments.get(1).is_some_and(|next| next.base_offset <= start_offset) {
            if let Some(dropped) = self.segments.pop_front() {
                self.shared.syncer.remove(dropped.tail.file.path().to_owned());
            }
        }
    }
}

fn base_offset_of(name: &str) -> Option<i64> {
    let digits = Path::new(name.strip_suffix(SUFFIX)?).to_str()?;
    let all_digits = digits.len() == NAME_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}
