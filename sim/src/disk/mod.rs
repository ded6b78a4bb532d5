//! A data directory: what a broker keeps on disk.
//!
//! ```text
//! lock                      held by the one broker that uses the directory
//! journal                   everything but the batches, a line for each change
//! topics/orders-<id>/0/     a partition
//!     00000000000000000000.log   a segment: batches as Kafka stores them
//! ```
//!
//! | file             | what it is about                                                  |
//! |------------------|-------------------------------------------------------------------|
//! | buffers          | memory to read into                                               |
//! | files            | the file system, and so the place where tests fail it             |
//! | open_files       | more files than descriptors                                       |
//! | tail             | appending, so that a failed write leaves no trace                 |
//! | segments, scan   | one partition; what of a segment is sound                         |
//! | journal, line    | the journal, and one line of it                                   |
//! | syncer           | the thread that syncs and removes                                 |

mod buffers;
mod files;
mod journal;
mod line;
mod open_files;
mod scan;
mod segments;
mod syncer;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use uuid::Uuid;

use self::files::{Files, RealFiles};
use self::journal::Journal;
use self::segments::DiskSegments;
pub use self::syncer::Fsync;
use self::syncer::Syncer;
use self::tail::Shared;
use crate::metadata::{Entry, Metadata};
use crate::storage::{Failed, Place, Segments, Storage, Synced, Ticket};

const LOCK: &str = "lock";
const TOPICS: &str = "topics";
/// What a fresh file system may hold, and what a first start that was interrupted leaves.
const HARMLESS: [&str; 3] = [LOCK, journal::NEW_NAME, "lost+found"];
/// Of a topic's name, for a directory's must be shorter than a topic's may be.
const MAX_NAME_BYTES: usize = 200;
const ID_DIGITS: usize = 32;

/// Why a data directory cannot be used; each is one line for whoever started the broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the data directory {} is used by another broker", .0.display())]
    InUse(PathBuf),
    #[error("{} is no data directory: it holds {found} and no journal", directory.display())]
    NoDataDirectory { directory: PathBuf, found: String },
    #[error("the data directory {} has format {format}; this version knows {known}", directory.display())]
    OtherFormat { directory: PathBuf, format: u32, known: u32 },
    #[error("{}: damaged at byte {position}; mend or remove that line to go on without it", path.display())]
    Damaged { path: PathBuf, position: u64 },
    #[error("cannot use {} in the data directory: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the data directory {} cannot be written to or read", .0.display())]
    Unusable(PathBuf),
}

#[derive(Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
    shared: Arc<Shared>,
    journal: Journal,
    /// Held as long as the broker runs; the system gives it back however that ends.
    lock: Option<File>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Opens or makes a data directory and says what is in it. `wake` is called when something was
    /// synced.
    ///
    /// # Errors
    /// It cannot be used.
    pub(crate) fn open(
        directory: &Path,
        fsync: Fsync,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<(Self, Metadata), OpenError> {
        check_foreign(&RealFiles, directory)?;
        let lock = take_lock(directory)?;
        let (mut disk, metadata) = Self::open_with(directory, Arc::new(RealFiles), fsync, wake)?;
        disk.lock = Some(lock);
        let started = disk.shared.syncer.start();
        let path = directory.to_owned();
        disk.thread = Some(started.map_err(|error| OpenError::Io { path, error })?);
        Ok((disk, metadata))
    }

    /// Without lock and thread.
    fn open_with(
        directory: &Path,
        files: Arc<dyn Files>,
        fsync: Fsync,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<(Self, Metadata), OpenError> {
        let syncer = Arc::new(Syncer::new(fsync, files.clone(), wake));
        let shared = Arc::new(Shared::new(files, syncer));
        let read = journal::read(&shared, directory)?;
        let sound_bytes = read.as_ref().map(|read| read.sound_bytes);
        let mut metadata = read.map(|read| read.metadata).unwrap_or_default();
        metadata.starts += 1;
        let journal = Journal::open(&shared, directory, &metadata, sound_bytes)
            .map_err(|_| OpenError::Unusable(directory.to_owned()))?;
        let directory = directory.to_owned();
        let disk = Self { directory, shared, journal, lock: None, thread: None };
        disk.remove_orphans(&metadata);
        Ok((disk, metadata))
    }

    fn topic_directory(&self, topic: &str, id: Uuid) -> PathBuf {
        let name = &topic[..topic.len().min(MAX_NAME_BYTES)];
        self.directory.join(TOPICS).join(format!("{name}-{}", id.simple()))
    }

    /// Removes directories of topics whose deletion was recorded before it was done.
    fn remove_orphans(&self, metadata: &Metadata) {
        let live: BTreeSet<Uuid> = metadata.topics.values().map(|topic| topic.id).collect();
        let topics = self.directory.join(TOPICS);
        let found = self.shared.open_files.files().list(&topics).unwrap_or_default();
        for found in found.into_iter().filter(|found| found.is_directory) {
            let path = topics.join(&found.name);
            match id_of(&found.name) {
                Some(id) if live.contains(&id) => {}
                Some(_) => self.shared.syncer.remove(path),
                None => tracing::warn!(path = %path.display(), "not a topic: left alone"),
            }
        }
    }
}

impl Storage for Disk {
    fn is_durable(&self) -> bool {
        true
    }

    fn segments(&mut self, place: Place<'_>) -> Option<Box<dyn Segments>> {
        let topic = self.topic_directory(place.topic, place.topic_id);
        let directory = topic.join(place.partition.to_string());
        Some(Box::new(DiskSegments::new(self.shared.clone(), directory)))
    }

    fn remove_topic(&mut self, topic: &str, topic_id: Uuid) {
        self.shared.syncer.remove(self.topic_directory(topic, topic_id));
    }

    fn record(&mut self, entries: &[Entry]) -> Result<(), Failed> {
        self.journal.append(&self.shared, entries)
    }

    fn wants_rewrite(&self) -> bool {
        self.journal.wants_rewrite(&self.shared)
    }

    fn rewrite(&mut self, entries: &[Entry]) -> Result<(), Failed> {
        self.journal.rewrite(&self.shared, entries)
    }

    fn syncs_before_answers(&self) -> bool {
        self.shared.syncer.fsync() == Fsync::Always
    }

    fn written(&self) -> Ticket {
        self.shared.syncer.written()
    }

    fn synced(&self) -> Synced {
        self.shared.syncer.synced()
    }

    fn close(&mut self) {
        self.shared.close();
        self.shared.syncer.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has ended it just as well.
            let _ = thread.join();
        }
        self.lock = None;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}

fn take_lock(directory: &Path) -> Result<File, OpenError> {
    let io_error = |path: &Path, error| OpenError::Io { path: path.to_owned(), error };
    std::fs::create_dir_all(directory).map_err(|error| io_error(directory, error))?;
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let lock = options.open(&path).map_err(|error| io_error(&path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
    }
}

/// Nobody's files are taken for a data directory's, and nothing is put among them.
fn check_foreign(files: &dyn Files, directory: &Path) -> Result<(), OpenError> {
    // What is not there or cannot be read is reported by whoever needs it next.
    let Ok(found) = files.list(directory) else { return Ok(()) };
    if found.iter().any(|found| found.name == journal::NAME) {
        return Ok(());
    }
    let foreign = found.into_iter().find(|found| !HARMLESS.contains(&found.name.as_str()));
    foreign.map_or(Ok(()), |found| {
        let directory = directory.to_owned();
        Err(OpenError::NoDataDirectory { directory, found: found.name })
    })
}

fn id_of(directory: &str) -> Option<Uuid> {
    let (_, id) = directory.rsplit_once('-')?;
    (id.len() == ID_DIGITS).then(|| Uuid::try_parse(id).ok()).flatten()
}
