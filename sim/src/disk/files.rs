//! What the storage needs of a file system. The real one is here; tests have one that fails, tears
//! writes and forgets what was not synced.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// One open file. Written from one place at a time.
pub(super) trait Handle: Send + Debug {
    /// Writes all of `parts` behind each other, from `position` on.
    ///
    /// # Errors
    /// Some of it may have been written.
    fn write_at(&mut self, position: u64, parts: &[&[u8]]) -> io::Result<()>;
    fn read_at(&mut self, position: u64, into: &mut [u8]) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// What lies in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) is_directory: bool,
}

pub(super) trait Files: Send + Sync + Debug {
    /// Opens a file that is there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// Makes an empty file, in place of one that may be there, with the directories above it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// By name.
    fn list(&self, directory: &Path) -> io::Result<Vec<Found>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes content and length of a file outlive a power cut, while others write to it.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory outlive a power cut.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct RealFiles;

#[derive(Debug)]
struct RealHandle {
    file: File,
    /// Where the next write goes by itself: one vectored write then stores header and records.
    cursor: u64,
}

impl RealHandle {
    fn boxed(file: File) -> Box<dyn Handle> {
        Box::new(Self { file, cursor: 0 })
    }

    fn write_parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.cursor += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Handle for RealHandle {
    fn write_at(&mut self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        if self.cursor != position {
            self.cursor = self.file.seek(SeekFrom::Start(position))?;
        }
        self.write_parts(parts)
    }

    fn read_at(&mut self, position: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, position)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

impl Files for RealFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        Ok(RealHandle::boxed(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(RealHandle::boxed(options.open(path)?))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Found>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // A name that is no text is none of ours, and is shown as such.
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push(Found { name, is_directory: entry.file_type()?.is_dir() });
        }
        all.sort();
        Ok(all)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
