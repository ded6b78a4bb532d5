//! The queue's folder and the files in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Stands at the beginning of every segment: what it is, and in which version.
pub(super) const MAGIC: [u8; 8] = *b"DBQUEUE1";

const SEGMENT: &str = "queue";
const DAMAGED: &str = "damaged";
const LOCK: &str = "lock";
const ACKNOWLEDGED: &str = "acknowledged";

/// The folder, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another process works in it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let cannot = || format!("cannot use {shown} for orders that wait for Kafka");
        std::fs::create_dir_all(path).with_context(cannot)?;
        if let Some(parent) = path.parent() {
            sync_directory(parent).with_context(cannot)?;
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "another order service keeps its waiting orders in {shown}: give this one an \
                 --instance or a --data-dir of its own"
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<PathBuf>> {
        self.with_extension(SEGMENT)
    }

    /// The files whose names end in `.wanted`, in the order of their names.
    pub(super) fn with_extension(&self, wanted: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == wanted) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// The segment that another file of its name belongs to.
    pub(super) fn segment_of(&self, other: &Path) -> PathBuf {
        other.with_extension(SEGMENT)
    }

    /// Makes the names in the folder outlive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }

    /// Starts a segment whose first record will be `sequence`; its name survives a power cut.
    pub(super) fn create(&self, sequence: u64) -> io::Result<(PathBuf, File)> {
        // Wide enough for every number, so that names sort as numbers do.
        let path = self.path.join(format!("{sequence:020}.{SEGMENT}"));
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).read(true).write(true).open(&path)?;
        if let Err(error) = file.write_all(&MAGIC).and_then(|()| self.sync()) {
            // Half a beginning is of no use; a successor would delete it as well.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok((path, file))
    }

    /// Puts a damaged segment out of the way; its new name.
    pub(super) fn set_aside(&self, segment: &Path) -> io::Result<PathBuf> {
        let mut aside = segment.with_extension(DAMAGED);
        let mut number = 1;
        while aside.exists() {
            number += 1;
            aside = segment.with_extension(format!("{DAMAGED}-{number}"));
        }
        std::fs::rename(segment, &aside)?;
        Ok(aside)
    }

    /// The memory of how far the queue has been drained.
    pub(super) fn acknowledged(&self) -> io::Result<Acknowledged> {
        let path = self.path.join(ACKNOWLEDGED);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(path)?;
        Ok(Acknowledged { file })
    }
}

/// Remembers below which sequence number everything stands in the log.
///
/// Not synced: without it orders would be published again, identical, which every reader ignores.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
}

impl Acknowledged {
    /// 0 where nothing is remembered, or nothing that can be read.
    pub(super) fn read(&self) -> u64 {
        let mut bytes = [0; 12];
        if self.file.read_exact_at(&mut bytes, 0).is_err() {
            return 0;
        }
        let (number, checksum) = bytes.split_at(8);
        let number: [u8; 8] = number.try_into().unwrap_or_default();
        if crc32c::crc32c(&number).to_le_bytes() != checksum {
            return 0;
        }
        u64::from_le_bytes(number)
    }

    pub(super) fn write(&self, sequence: u64) -> io::Result<()> {
        let number = sequence.to_le_bytes();
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&number);
        bytes[8..].copy_from_slice(&crc32c::crc32c(&number).to_le_bytes());
        self.file.write_all_at(&bytes, 0)
    }
}

/// `length` bytes of a file from `offset` on.
pub(super) fn read_piece(path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(path)?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // An empty parent is the working directory.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}
