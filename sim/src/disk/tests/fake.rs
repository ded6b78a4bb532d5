//! A file system in memory that knows what a power cut would leave of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::files::{Files, Found, Handle};

#[derive(Debug, Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

type Inode = usize;

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    files: BTreeMap<PathBuf, Inode>,
    directories: BTreeSet<PathBuf>,
    synced_files: BTreeMap<PathBuf, Inode>,
    synced_directories: BTreeSet<PathBuf>,
    faults: Faults,
}

/// What goes wrong from now on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Faults {
    /// Bytes by which files may still grow.
    pub(super) room: Option<usize>,
    /// Bytes after which the process is dead: nothing succeeds any more.
    pub(super) dies_after: Option<usize>,
    pub(super) syncs_fail: bool,
    /// There is no descriptor to sync with.
    pub(super) syncs_untried: bool,
    pub(super) truncates_fail: bool,
    pub(super) reads_fail: bool,
}

#[derive(Debug, Default, Clone)]
pub(super) struct FakeFiles(Arc<Mutex<State>>);

#[derive(Debug)]
struct FakeHandle {
    files: FakeFiles,
    inode: Inode,
}

fn failure(why: &'static str) -> io::Error {
    io::Error::other(why)
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.faults.dies_after == Some(0) { Err(failure("dead")) } else { Ok(()) }
    }

    fn inode(&self, path: &Path) -> io::Result<Inode> {
        self.alive()?;
        self.files.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put(&mut self, inode: Inode, at: usize, byte: u8) -> io::Result<()> {
        self.alive()?;
        let bytes = &mut self.contents[inode].bytes;
        if at >= bytes.len() {
            match &mut self.faults.room {
                Some(0) => return Err(io::ErrorKind::StorageFull.into()),
                Some(room) => *room -= 1,
                None => {}
            }
            bytes.resize(at + 1, 0);
        }
        bytes[at] = byte;
        if let Some(left) = &mut self.faults.dies_after {
            *left -= 1;
        }
        Ok(())
    }
}

impl FakeFiles {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    pub(super) fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// All files, by name.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.lock().files.keys().cloned().collect()
    }

    /// The one file whose name ends so.
    pub(super) fn named(&self, ending: &str) -> PathBuf {
        let names = self.names();
        let mut found = names.iter().filter(|name| name.to_string_lossy().ends_with(ending));
        let only = found.next().unwrap_or_else(|| panic!("no {ending} in {names:?}"));
        assert!(found.next().is_none(), "several {ending} in {names:?}");
        only.clone()
    }

    pub(super) fn content(&self, path: &Path) -> Vec<u8> {
        let state = self.lock();
        state.contents[state.inode(path).unwrap()].bytes.clone()
    }

    pub(super) fn set_content(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.lock();
        let inode = state.inode(path).unwrap();
        state.contents[inode].bytes = bytes;
    }

    /// Leaves what was synced, and of what was appended since then as much as `keep` says: 0 is
    /// nothing, 255 is all.
    pub(super) fn cut_power(&self, keep: u8) {
        let mut state = self.lock();
        let directories = state.synced_directories.clone();
        let reachable = |path: &Path| {
            let root = Path::new(super::rig::DIRECTORY);
            let above = path.ancestors().skip(1).filter(|above| *above != root);
            let mut above = above.filter(|above| above.starts_with(root));
            above.all(|above| directories.contains(above))
        };
        state.files = state.synced_files.clone();
        state.files.retain(|path, _| reachable(path));
        state.directories = directories.iter().filter(|path| reachable(path)).cloned().collect();
        for content in &mut state.contents {
            let appended = content.bytes.strip_prefix(&content.synced[..]).unwrap_or_default();
            let kept = appended.len() * usize::from(keep) / 255;
            content.bytes = [&content.synced[..], &appended[..kept]].concat();
            content.synced = content.bytes.clone();
        }
    }
}

impl Handle for FakeHandle {
    fn write_at(&mut self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut state = self.files.lock();
        let bytes = parts.iter().flat_map(|part| part.iter());
        for (at, byte) in (position as usize..).zip(bytes) {
            state.put(self.inode, at, *byte)?;
        }
        state.alive()
    }

    fn read_at(&mut self, position: u64, into: &mut [u8]) -> io::Result<()> {
        let state = self.files.lock();
        if state.faults.reads_fail {
            return Err(failure("unreadable"));
        }
        let bytes = &state.contents[self.inode].bytes;
        let range = position as usize..position as usize + into.len();
        into.copy_from_slice(bytes.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.files.lock().contents[self.inode].bytes.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.files.lock();
        state.alive()?;
        if state.faults.truncates_fail {
            return Err(failure("cannot be cut"));
        }
        let bytes = &mut state.contents[self.inode].bytes;
        let freed = bytes.len().saturating_sub(length as usize);
        bytes.truncate(length as usize);
        if let Some(room) = &mut state.faults.room {
            *room += freed;
        }
        Ok(())
    }
}

impl Files for FakeFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let inode = self.lock().inode(path)?;
        Ok(Box::new(FakeHandle { files: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let mut state = self.lock();
        state.alive()?;
        let above = path.ancestors().skip(1).map(Path::to_owned);
        state.directories.extend(above.collect::<Vec<_>>());
        state.contents.push(Content::default());
        let inode = state.contents.len() - 1;
        state.files.insert(path.to_owned(), inode);
        Ok(Box::new(FakeHandle { files: self.clone(), inode }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Found>> {
        let state = self.lock();
        if !state.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let within = |path: &Path, is_directory| {
            (path.parent() == Some(directory))
                .then(|| path.file_name().unwrap().to_string_lossy().into_owned())
                .map(|name| Found { name, is_directory })
        };
        let files = state.files.keys().filter_map(|path| within(path, false));
        let directories = state.directories.iter().filter_map(|path| within(path, true));
        Ok(files.chain(directories).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let inode = state.inode(from)?;
        state.files.remove(from);
        state.files.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.directories.contains(path) {
            return Err(failure("is a directory"));
        }
        state.inode(path)?;
        state.files.remove(path);
        state.synced_files.remove(path);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.alive()?;
        state.files.retain(|name, _| !name.starts_with(path));
        state.synced_files.retain(|name, _| !name.starts_with(path));
        state.directories.retain(|name| !name.starts_with(path));
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let inode = state.inode(path)?;
        if state.faults.syncs_fail {
            return Err(failure("cannot be synced"));
        }
        if state.faults.syncs_untried {
            const EMFILE: i32 = 24;
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let content = &mut state.contents[inode];
        content.synced = content.bytes.clone();
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.alive()?;
        let within = |name: &Path| name.parent() == Some(path);
        state.synced_files.retain(|name, _| !within(name));
        let files: Vec<_> = state.files.iter().filter(|(name, _)| within(name)).collect();
        let files: Vec<_> = files.into_iter().map(|(name, inode)| (name.clone(), *inode)).collect();
        state.synced_files.extend(files);
        let directories: Vec<_> =
            state.directories.iter().filter(|name| within(name)).cloned().collect();
        state.synced_directories.extend(directories);
        Ok(())
    }
}
