//! The queue on disk: segments that are only appended to, read from their beginning, and deleted when
//! all that stands in them stands in the log. Blocking: only [`super::writer`]'s thread comes here.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;
use contract::Timestamp;
use tracing::{info, warn};

use super::QueueSettings;
use super::files::{Acknowledged, Folder, MAGIC, read_piece};
use super::record::{Entry, Found, Record, decode, encode, framed};
use super::recovery::{Segment, finish_salvages, recover};

/// Beyond this a new segment begins: what is drained is given back in pieces of this size.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// Read at once while draining: more than the longest record.
const READ_BYTES: u64 = 256 * 1024;

/// The queue on disk.
#[derive(Debug)]
pub(super) struct Store {
    folder: Folder,
    settings: QueueSettings,
    memory: Acknowledged,
    /// Everything below stands in the log.
    acknowledged: u64,
    segments: VecDeque<Segment>,
    /// The last segment, while it may be appended to.
    active: Option<File>,
    next_sequence: u64,
    /// The segment that is read next, and where.
    reading: (usize, u64),
    /// Read and not yet acknowledged.
    handed_out: VecDeque<Record>,
    /// Handed out once and to be handed out again.
    returned: VecDeque<Record>,
    /// Not acknowledged.
    depth: u64,
    oldest: Option<Timestamp>,
}

impl Store {
    /// Takes over what a predecessor left in `path`. `each` sees every order that waits.
    ///
    /// # Errors
    /// The folder cannot be used, or another process uses it.
    pub(super) fn open(
        path: &Path,
        settings: QueueSettings,
        mut each: impl FnMut(&Record),
    ) -> anyhow::Result<Self> {
        let folder = Folder::open(path)?;
        let memory = folder.acknowledged()?;
        let acknowledged = memory.read();
        let mut store = Self {
            folder,
            memory,
            acknowledged,
            settings,
            segments: VecDeque::new(),
            active: None,
            next_sequence: acknowledged,
            reading: (0, MAGIC.len() as u64),
            handed_out: VecDeque::new(),
            returned: VecDeque::new(),
            depth: 0,
            oldest: None,
        };
        store.recover(&mut each).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(store)
    }

    fn recover(&mut self, each: &mut impl FnMut(&Record)) -> io::Result<()> {
        let acknowledged = self.acknowledged;
        finish_salvages(&self.folder)?;
        for path in self.folder.segments()? {
            let (depth, oldest) = (&mut self.depth, &mut self.oldest);
            let segment = recover(&self.folder, &path, |record| {
                if record.sequence >= acknowledged {
                    *depth += 1;
                    oldest.get_or_insert(record.entry.at);
                    each(&record);
                }
            })?;
            let Some(segment) = segment else { continue };
            self.next_sequence = self.next_sequence.max(segment.next);
            if segment.next <= acknowledged {
                fs::remove_file(&segment.path)?;
            } else {
                self.segments.push_back(segment);
            }
        }
        if self.depth > 0 {
            info!(orders = self.depth, "orders wait in the queue from before");
        }
        Ok(())
    }

    /// Whether an event of `length` bytes may still come, after `more` others.
    pub(super) fn has_room(&self, more: usize, more_bytes: usize, length: usize) -> bool {
        let bytes = self.bytes() + (more_bytes + framed(length)) as u64;
        self.depth + (more as u64) < self.settings.max_orders && bytes <= self.settings.max_bytes
    }

    /// Appends and syncs: when this returns, the orders outlive a power cut.
    ///
    /// # Errors
    /// The file system's. What was to be appended may then come back after a restart, or not.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let Some(first) = entries.first() else { return Ok(()) };
        let mut buffer = Vec::new();
        for entry in entries {
            encode(self.next_sequence, entry, &mut buffer);
            // Never given twice, not even after a failure.
            self.next_sequence += 1;
        }
        let file = self.active(self.next_sequence - entries.len() as u64)?;
        let end = self.segments.back().map_or(0, |segment| segment.length);
        if let Err(error) = file.write_all_at(&buffer, end).and_then(|()| file.sync_data()) {
            self.abandon_active(end);
            return Err(error);
        }
        self.active = Some(file);
        if let Some(segment) = self.segments.back_mut() {
            segment.length += buffer.len() as u64;
            segment.next = self.next_sequence;
        }
        self.depth += entries.len() as u64;
        self.oldest.get_or_insert(first.at);
        Ok(())
    }

    /// The file to append to; a new one when the last is full.
    fn active(&mut self, sequence: u64) -> io::Result<File> {
        let full = self.segments.back().is_some_and(|segment| segment.length >= SEGMENT_BYTES);
        if let Some(file) = self.active.take()
            && !full
        {
            return Ok(file);
        }
        let (path, file) = self.folder.create(sequence)?;
        let length = MAGIC.len() as u64;
        self.segments.push_back(Segment { path, next: sequence, length });
        Ok(file)
    }

    /// After a failed write nobody knows what the file holds: it ends where it was good.
    fn abandon_active(&mut self, end: u64) {
        self.active = None;
        let is_empty = |segment: &mut Segment| segment.length <= MAGIC.len() as u64;
        let mended = match self.segments.pop_back_if(is_empty) {
            Some(empty) => fs::remove_file(empty.path),
            None => self.segments.back().map_or(Ok(()), |segment| {
                File::options().write(true).open(&segment.path)?.set_len(end)
            }),
        };
        if let Err(error) = mended {
            warn!(%error, "cannot cut off a failed write");
        }
    }

    /// The next orders to publish, up to `limit`, in the order in which they came.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn read(&mut self, limit: usize) -> io::Result<Vec<Record>> {
        let already = self.handed_out.len();
        while self.handed_out.len() - already < limit {
            match self.returned.pop_front() {
                Some(record) => self.handed_out.push_back(record),
                None if self.read_on(already + limit)? => {}
                None => break,
            }
        }
        if let Some(oldest) = self.handed_out.front() {
            self.oldest = Some(oldest.entry.at);
        }
        Ok(self.handed_out.range(already..).cloned().collect())
    }

    /// Reads a piece of a segment until `until` records are handed out. Whether there was one.
    fn read_on(&mut self, until: usize) -> io::Result<bool> {
        let (index, mut offset) = self.reading;
        let Some(segment) = self.segments.get(index) else { return Ok(false) };
        let left = segment.length.saturating_sub(offset);
        if left == 0 {
            let is_last = index + 1 >= self.segments.len();
            if !is_last {
                self.reading = (index + 1, MAGIC.len() as u64);
            }
            return Ok(!is_last);
        }
        let wanted = usize::try_from(left.min(READ_BYTES)).unwrap_or(usize::MAX);
        let bytes = read_piece(&segment.path, offset, wanted)?;
        let mut place = 0;
        while self.handed_out.len() < until
            && let Found::Record(record, length) = decode(&bytes[place..])
        {
            place += length;
            if record.sequence >= self.acknowledged {
                self.handed_out.push_back(record);
            }
        }
        offset += place as u64;
        if place == 0 {
            return self.mend(index).map(|()| true);
        }
        self.reading = (index, offset);
        Ok(true)
    }

    /// A segment was damaged after it had been read or written: what can be read of it stays.
    fn mend(&mut self, index: usize) -> io::Result<()> {
        let last_handed_out = self.handed_out.back().map_or(0, |record| record.sequence + 1);
        let done = last_handed_out.max(self.acknowledged);
        self.active = None;
        let Some(segment) = self.segments.remove(index) else { return Ok(()) };
        let mut waiting = Vec::new();
        recover(&self.folder, &segment.path, |record| {
            if record.sequence >= done {
                waiting.push(record);
            }
        })?;
        let lost = segment.next.saturating_sub(done).saturating_sub(waiting.len() as u64);
        self.depth = self.depth.saturating_sub(lost);
        // Held in memory from here on (a segment's worth): the file is read again after a restart only.
        self.returned.extend(waiting);
        self.reading = (index, MAGIC.len() as u64);
        Ok(())
    }

    /// The first `count` of what was handed out stand in the log. The rest is handed out again.
    pub(super) fn acknowledge(&mut self, count: usize) {
        let count = count.min(self.handed_out.len());
        let done = self.handed_out.drain(..count).next_back();
        while let Some(record) = self.handed_out.pop_back() {
            self.returned.push_front(record);
        }
        let Some(done) = done else { return };
        self.depth -= count as u64;
        self.oldest = (self.depth > 0).then_some(done.entry.at);
        self.acknowledged = done.sequence + 1;
        if let Err(error) = self.memory.write(self.acknowledged) {
            // They are published again after a restart: identical, which every reader ignores.
            warn!(%error, "cannot remember how far the queue has been drained");
        }
        self.give_back();
    }

    /// Deletes the segments that are drained: all of them when nothing waits any more.
    fn give_back(&mut self) {
        let done = self.acknowledged;
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.next <= done) {
            if let Err(error) = fs::remove_file(&segment.path) {
                warn!(file = %segment.path.display(), %error, "cannot delete a drained segment");
            }
            match self.reading.0.checked_sub(1) {
                Some(index) => self.reading.0 = index,
                None => self.reading.1 = MAGIC.len() as u64,
            }
        }
        if self.segments.is_empty() {
            self.active = None;
        }
    }

    /// Orders that wait.
    pub(super) const fn depth(&self) -> u64 {
        self.depth
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// When the oldest order that waits was ordered.
    pub(super) const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }
}
