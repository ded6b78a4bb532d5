//! The end of a file that is only appended to. A write that failed half way leaves no trace: what it
//! left is cut off, at the latest before the next write.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::buffers::Buffers;
use super::files::Files;
use super::open_files::{LazyFile, OpenFiles};
use super::syncer::Syncer;
use crate::storage::Failed;

/// What all files of a data directory share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) open_files: OpenFiles,
    pub(super) syncer: Arc<Syncer>,
    pub(super) buffers: Buffers,
    /// Whether the last write failed: a full disk is reported once, not with every request.
    failing: AtomicBool,
    /// The same for reads.
    unreadable: AtomicBool,
    closed: AtomicBool,
}

impl Shared {
    pub(super) fn new(files: Arc<dyn Files>, syncer: Arc<Syncer>) -> Self {
        let open_files = OpenFiles::new(files);
        let flag = || AtomicBool::new(false);
        let (failing, unreadable, closed) = (flag(), flag(), flag());
        let buffers = Buffers::default();
        Self { open_files, syncer, buffers, failing, unreadable, closed }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Logs a failed write, unless the one before it failed too.
    pub(super) fn failed(&self, path: &Path, error: &io::Error) -> Failed {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(path = %path.display(), %error, "cannot write; clients are told so");
        }
        Failed
    }

    /// Logs a failed read, unless the one before it failed too.
    pub(super) fn could_not_read(&self, path: &Path, position: u32, error: &io::Error) -> Failed {
        if !self.unreadable.swap(true, Ordering::Relaxed) {
            tracing::error!("{}: cannot be read at byte {position}: {error}", path.display());
        }
        Failed
    }

    pub(super) fn has_read(&self) {
        if self.unreadable.load(Ordering::Relaxed) {
            self.unreadable.store(false, Ordering::Relaxed);
        }
    }

    fn succeeded(&self) {
        if self.failing.load(Ordering::Relaxed) {
            self.failing.store(false, Ordering::Relaxed);
            tracing::warn!("writes succeed again");
        }
    }
}

#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: Arc<LazyFile>,
    pub(super) end: u64,
    /// There may be something behind the end.
    torn: bool,
}

impl Tail {
    /// The end of a file that is there.
    pub(super) fn of(shared: &Shared, path: PathBuf, end: u64) -> Self {
        Self { file: shared.open_files.existing(path), end, torn: false }
    }

    /// A new file.
    pub(super) fn create(shared: &Shared, path: PathBuf) -> Result<Self, Failed> {
        let created = shared.open_files.create(path.clone());
        let file = created.map_err(|error| shared.failed(&path, &error))?;
        Ok(Self { file, end: 0, torn: false })
    }

    /// Whether anything can be appended, other than for want of room.
    pub(super) fn writable(&self, shared: &Shared) -> Result<(), Failed> {
        let lost = self.file.failed.load(Ordering::SeqCst);
        if lost || shared.is_closed() { Err(Failed) } else { Ok(()) }
    }

    /// Appends all of `parts` or nothing; returns where they begin.
    pub(super) fn append(&mut self, shared: &Shared, parts: &[&[u8]]) -> Result<u64, Failed> {
        self.writable(shared)?;
        if self.torn {
            self.cut(shared)?;
        }
        let (begin, length) = (self.end, parts.iter().map(|part| part.len() as u64).sum::<u64>());
        let written = shared.open_files.with(&self.file, |handle| handle.write_at(begin, parts));
        if let Err(error) = written {
            self.torn = true;
            let failed = shared.failed(self.file.path(), &error);
            // If not now, then before the next write.
            let _ = self.cut(shared);
            return Err(failed);
        }
        self.end += length;
        shared.succeeded();
        Ok(begin)
    }

    /// Cuts off whatever is behind the end.
    pub(super) fn cut(&mut self, shared: &Shared) -> Result<(), Failed> {
        let end = self.end;
        let cut = shared.open_files.with(&self.file, |handle| handle.truncate(end));
        cut.map_err(|error| shared.failed(self.file.path(), &error))?;
        self.torn = false;
        Ok(())
    }
}
