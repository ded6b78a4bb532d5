//! What a process finds of its predecessor's queue: what was being written when it died is cut off,
//! what cannot be read is told and kept.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::files::{Folder, MAGIC};
use super::record::{Damage, Record, encode, scan};
use crate::kit::metrics::QUEUE_DAMAGE;

/// One file of the queue.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// One past the sequence number of its last record.
    pub(super) next: u64,
    /// Bytes that hold records, with the beginning.
    pub(super) length: u64,
}

/// Reads a segment and mends what can be mended. `None` when nothing of it is left.
///
/// # Errors
/// The file system's.
pub(super) fn recover(
    folder: &Folder,
    path: &Path,
    mut each: impl FnMut(Record),
) -> io::Result<Option<Segment>> {
    let bytes = fs::read(path)?;
    let mut records = Vec::new();
    let start = MAGIC.len().min(bytes.len());
    let mut damages = scan(&bytes[start..], start as u64, |record| records.push(record));
    if bytes[..start] != MAGIC[..start] {
        damages.insert(0, Damage { offset: 0, bytes: start as u64, torn: false });
    }
    let mut length = bytes.len() as u64;
    match damages[..] {
        [] => {}
        [Damage { offset, bytes, torn: true }] => {
            let file = path.display();
            warn!(%file, offset, bytes, "the last write to the queue was cut off: nobody was told 201");
            cut(path, offset)?;
            length = offset;
        }
        _ => length = salvage(folder, path, &damages, &records)?,
    }
    let Some(last) = records.last() else {
        // Only the beginning of a segment, or of the whole file nothing that could be kept.
        if length <= MAGIC.len() as u64 {
            remove_if_there(path)?;
        }
        return Ok(None);
    };
    let segment = Segment { path: path.to_owned(), next: last.sequence + 1, length };
    records.into_iter().for_each(&mut each);
    Ok(Some(segment))
}

/// Ends what a process began that died while it set a damaged segment aside.
///
/// # Errors
/// The file system's.
pub(super) fn finish_salvages(folder: &Folder) -> io::Result<()> {
    for copy in folder.with_extension(SALVAGED)? {
        let segment = folder.segment_of(&copy);
        if segment.exists() {
            // It had not come to setting it aside: that begins anew.
            fs::remove_file(copy)?;
        } else {
            fs::rename(copy, segment)?;
        }
    }
    folder.sync()
}

/// The copy of what can be read of a damaged segment, until it takes its place.
const SALVAGED: &str = "salvaged";

/// Says what is damaged, sets the segment aside, and puts a copy of what can be read in its place; how
/// long that is.
fn salvage(
    folder: &Folder,
    path: &Path,
    damages: &[Damage],
    records: &[Record],
) -> io::Result<u64> {
    let mut bytes = MAGIC.to_vec();
    for record in records {
        encode(record.sequence, &record.entry, &mut bytes);
    }
    let copy = path.with_extension(SALVAGED);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&copy)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let aside = folder.set_aside(path)?;
    fs::rename(&copy, path)?;
    folder.sync()?;
    QUEUE_DAMAGE.add_to(&[], damages.len() as u64);
    for damage in damages {
        let (file, kept) = (path.display(), aside.display());
        let Damage { offset, bytes, .. } = damage;
        error!(
            %file, offset, bytes, %kept, readable = records.len(),
            "the queue is damaged: orders that were promised may be missing; the file is kept, and what \
             can be read of it is published"
        );
    }
    Ok(bytes.len() as u64)
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
