//! Files that are kept open, up to a number: there may be more partitions than descriptors.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::files::{Files, Handle};

/// Files open at a time. A process that may open fewer is served by what it may open.
const MAX_OPEN_FILES: usize = 512;
/// The least to go on with when the process has no descriptors left.
const MIN_OPEN_FILES: usize = 4;

/// A file by name, opened when it is used and closed when others are used more.
#[derive(Debug)]
pub(super) struct LazyFile {
    path: PathBuf,
    handle: Mutex<Option<Box<dyn Handle>>>,
    used: AtomicBool,
    /// Waits to be synced.
    pub(super) dirty: AtomicBool,
    /// Could not be synced: what it holds may not be what was written.
    pub(super) failed: AtomicBool,
}

impl LazyFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Handle>>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens files, and closes those that were not used lately.
#[derive(Debug)]
pub(super) struct OpenFiles {
    files: Arc<dyn Files>,
    open: Mutex<VecDeque<Weak<LazyFile>>>,
}

impl OpenFiles {
    pub(super) fn new(files: Arc<dyn Files>) -> Self {
        Self { files, open: Mutex::new(VecDeque::new()) }
    }

    pub(super) fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// A file that is there.
    pub(super) fn existing(&self, path: PathBuf) -> Arc<LazyFile> {
        self.lazy(path, None)
    }

    /// A new, empty file.
    pub(super) fn create(&self, path: PathBuf) -> io::Result<Arc<LazyFile>> {
        let handle = self.open_with(|files| files.create(&path))?;
        let file = self.lazy(path, Some(handle));
        self.opened(&file);
        Ok(file)
    }

    fn lazy(&self, path: PathBuf, handle: Option<Box<dyn Handle>>) -> Arc<LazyFile> {
        Arc::new(LazyFile {
            path,
            handle: Mutex::new(handle),
            used: AtomicBool::new(true),
            dirty: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        })
    }

    /// Does something with a file, which is opened for it if need be.
    pub(super) fn with<R>(
        &self,
        file: &Arc<LazyFile>,
        act: impl FnOnce(&mut dyn Handle) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut slot = file.lock();
        file.used.store(true, Ordering::Relaxed);
        if let Some(handle) = &mut *slot {
            return act(&mut **handle);
        }
        let mut handle = self.open_with(|files| files.open(&file.path))?;
        let result = act(&mut *handle);
        *slot = Some(handle);
        drop(slot);
        self.opened(file);
        result
    }

    /// Tries again with other files closed when the process has no descriptors left.
    fn open_with(
        &self,
        open: impl Fn(&dyn Files) -> io::Result<Box<dyn Handle>>,
    ) -> io::Result<Box<dyn Handle>> {
        match open(&*self.files) {
            Err(error) if is_out_of_descriptors(&error) => {
                let half = self.lock().len() / 2;
                self.close_down_to(half.max(MIN_OPEN_FILES));
                open(&*self.files)
            }
            other => other,
        }
    }

    fn opened(&self, file: &Arc<LazyFile>) {
        self.lock().push_back(Arc::downgrade(file));
        self.close_down_to(MAX_OPEN_FILES);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Weak<LazyFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what is open for longest, unless it was used since it was last looked at.
    fn close_down_to(&self, limit: usize) {
        let mut open = self.lock();
        let mut looks = 2 * open.len();
        while open.len() > limit && looks > 0 {
            looks -= 1;
            let Some(oldest) = open.pop_front() else { break };
            let Some(file) = oldest.upgrade() else { continue };
            if file.used.swap(false, Ordering::Relaxed) {
                open.push_back(oldest);
            } else if let Ok(mut slot) = file.handle.try_lock() {
                *slot = None;
            } else {
                open.push_back(oldest);
            }
        }
    }
}

pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

#[cfg(test)]
mod tests {
    use super::super::files::RealFiles;
    use super::*;

    #[test]
    fn more_files_than_may_be_open_are_read_and_written() {
        let directory = tempfile::tempdir().unwrap();
        let open_files = OpenFiles::new(Arc::new(RealFiles));
        let count = MAX_OPEN_FILES + 100;
        let path = |at: usize| directory.path().join(at.to_string());
        let files: Vec<_> = (0..count).map(|at| open_files.create(path(at)).unwrap()).collect();
        for round in 0..2u64 {
            for (at, file) in files.iter().enumerate() {
                let bytes = (at as u64).to_be_bytes();
                open_files.with(file, |handle| handle.write_at(8 * round, &[&bytes])).unwrap();
            }
        }
        let open = files.iter().filter(|file| file.lock().is_some()).count();
        assert!((1..=MAX_OPEN_FILES).contains(&open), "{open} are open");
        for (at, file) in files.iter().enumerate() {
            let mut bytes = [0; 8];
            open_files.with(file, |handle| handle.read_at(8, &mut bytes)).unwrap();
            assert_eq!(u64::from_be_bytes(bytes), at as u64);
        }
    }
}
