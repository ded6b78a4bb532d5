//! Syncs what was written and removes what is no longer needed, on a thread of its own: neither may
//! hold up the broker. One sync serves all requests that were written before it began.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::files::Files;
use super::open_files::{LazyFile, is_out_of_descriptors};
use crate::storage::{Synced, Ticket};

/// Pause before what could not be tried is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// When what was written is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before it is acknowledged.
    Always,
    /// Every so often.
    Interval(Duration),
    /// When the system likes to, and at a clean end.
    Never,
}

#[derive(Debug, Default)]
struct Work {
    dirty: Vec<Arc<LazyFile>>,
    /// Synced behind the rest: a committed offset must not outlive the records before it.
    journal: Option<Arc<LazyFile>>,
    /// Directories with new names in them.
    directories: BTreeSet<PathBuf>,
    removals: Vec<PathBuf>,
    closing: bool,
}

impl Work {
    fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.journal.is_some() || !self.directories.is_empty()
    }
}

/// What writers and the thread share.
pub(super) struct Syncer {
    fsync: Fsync,
    files: Arc<dyn Files>,
    work: Mutex<Work>,
    changed: Condvar,
    written: AtomicU64,
    synced: Mutex<Synced>,
    /// Called when something was synced that somebody may wait for.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Debug for Syncer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Syncer").field("fsync", &self.fsync).finish_non_exhaustive()
    }
}

impl Syncer {
    pub(super) fn new(
        fsync: Fsync,
        files: Arc<dyn Files>,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            fsync,
            files,
            work: Mutex::default(),
            changed: Condvar::new(),
            written: AtomicU64::new(0),
            synced: Mutex::default(),
            wake,
        }
    }

    pub(super) fn start(self: &Arc<Self>) -> io::Result<thread::JoinHandle<()>> {
        let syncer = self.clone();
        thread::Builder::new().name("broker-sync".to_owned()).spawn(move || syncer.run())
    }

    pub(super) fn fsync(&self) -> Fsync {
        self.fsync
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a write to a segment. The order matters: first the write, then the mark, then the count,
    /// so that whoever reads the count and then takes the marks misses no write that it counts.
    pub(super) fn wrote(&self, file: &Arc<LazyFile>) {
        if !file.dirty.swap(true, Ordering::SeqCst) {
            self.lock().dirty.push(file.clone());
            self.changed.notify_one();
        }
        self.count();
    }

    pub(super) fn wrote_journal(&self, journal: &Arc<LazyFile>) {
        self.lock().journal = Some(journal.clone());
        self.count();
        self.changed.notify_one();
    }

    /// Notes a new name in a directory.
    pub(super) fn named(&self, directory: &Path) {
        self.lock().directories.insert(directory.to_owned());
    }

    fn count(&self) {
        self.written.fetch_add(1, Ordering::SeqCst);
        if self.fsync == Fsync::Always {
            let _work = self.lock();
            self.changed.notify_one();
        }
    }

    /// Has a file or a directory removed.
    pub(super) fn remove(&self, path: PathBuf) {
        self.lock().removals.push(path);
        self.changed.notify_one();
    }

    pub(super) fn written(&self) -> Ticket {
        Ticket(self.written.load(Ordering::SeqCst))
    }

    pub(super) fn synced(&self) -> Synced {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the thread sync everything and end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        loop {
            let closing = self.wait();
            self.remove_all();
            if closing || self.fsync != Fsync::Never {
                self.sync();
            }
            if closing {
                return;
            }
        }
    }

    /// Waits until there is something to do. Returns whether it is the last.
    fn wait(&self) -> bool {
        let mut work = self.lock();
        loop {
            if work.closing {
                return true;
            }
            let owes = self.synced().tried < self.written();
            match self.fsync {
                _ if !work.removals.is_empty() => return false,
                Fsync::Always if owes || work.is_dirty() => return false,
                Fsync::Interval(interval) if work.is_dirty() => {
                    let idle = |work: &mut Work| !work.closing;
                    let waited = self.changed.wait_timeout_while(work, interval, idle);
                    return waited.unwrap_or_else(PoisonError::into_inner).0.closing;
                }
                _ => {}
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn remove_all(&self) {
        let removals = std::mem::take(&mut self.lock().removals);
        for path in removals {
            let removed = match self.files.remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(_) => self.files.remove_directory(&path),
                Ok(()) => Ok(()),
            };
            if let Err(error) = removed {
                tracing::warn!(path = %path.display(), %error, "cannot remove");
            }
        }
    }

    /// Syncs everything that was written before.
    pub(super) fn sync(&self) {
        let (up_to, work) = {
            let mut work = self.lock();
            let removals = std::mem::take(&mut work.removals);
            let rest = Work { removals, closing: work.closing, ..Work::default() };
            (self.written(), std::mem::replace(&mut *work, rest))
        };
        for file in &work.dirty {
            // Before the sync: a write during it waits for the next one.
            file.dirty.store(false, Ordering::SeqCst);
        }
        let (mut failed, mut left) = (false, Work::default());
        let sync_file = |file: &LazyFile| {
            let outcome = outcome_of(file.path(), self.files.sync_file(file.path()));
            if outcome == Outcome::Failed {
                file.failed.store(true, Ordering::SeqCst);
            }
            outcome
        };
        for file in work.dirty {
            match sync_file(&file) {
                Outcome::Untried => left.dirty.push(file),
                outcome => failed |= outcome == Outcome::Failed,
            }
        }
        // The deepest first: a name is of no use before what it names.
        for directory in work.directories.into_iter().rev() {
            match outcome_of(&directory, self.files.sync_directory(&directory)) {
                Outcome::Untried => drop(left.directories.insert(directory)),
                outcome => failed |= outcome == Outcome::Failed,
            }
        }
        if let Some(journal) = work.journal {
            match sync_file(&journal) {
                Outcome::Untried => left.journal = Some(journal),
                outcome => failed |= outcome == Outcome::Failed,
            }
        }
        if failed || !left.is_dirty() {
            self.tried(up_to, failed);
        }
        if left.is_dirty() {
            self.put_back(left);
        }
    }

    fn tried(&self, up_to: Ticket, failed: bool) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if failed {
            let after = synced.failed.map_or(synced.tried, |(after, _)| after);
            synced.failed = Some((after, up_to));
        }
        synced.tried = up_to;
        drop(synced);
        if self.fsync == Fsync::Always {
            (self.wake)();
        }
    }

    /// What could not even be tried is tried again a little later.
    fn put_back(&self, left: Work) {
        let mut work = self.lock();
        for file in left.dirty {
            if !file.dirty.swap(true, Ordering::SeqCst) {
                work.dirty.push(file);
            }
        }
        work.directories.extend(left.directories);
        work.journal = work.journal.take().or(left.journal);
        let pause = self.changed.wait_timeout_while(work, RETRY, |work| !work.closing);
        drop(pause);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Synced,
    /// Nobody knows what the file holds.
    Failed,
    /// There was no descriptor to sync it with.
    Untried,
}

/// What was removed meanwhile needs no sync.
fn outcome_of(path: &Path, synced: io::Result<()>) -> Outcome {
    match synced {
        Ok(()) => Outcome::Synced,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Synced,
        Err(error) if is_out_of_descriptors(&error) => {
            tracing::warn!(path = %path.display(), %error, "cannot sync yet");
            Outcome::Untried
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "cannot sync");
            Outcome::Failed
        }
    }
}
