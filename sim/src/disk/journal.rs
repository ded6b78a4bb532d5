//! The journal: everything durable but the batches, a line for each change. It is rewritten with the
//! fewest lines at every start, and when it has grown.

use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::line::{could_begin, entry, put_line, text, text_of};
use super::tail::{Shared, Tail};
use crate::metadata::{Entry, Metadata};
use crate::storage::Failed;

pub(super) const NAME: &str = "journal";
pub(super) const NEW_NAME: &str = "journal.new";
/// The first line says what the directory is, and in which format.
const FORMAT_WORD: &str = "doorbuster-data-directory";
const FORMAT: u32 = 1;
/// A journal is rewritten when it has grown to so many times its size, but not while it is small.
const GROWTH: u64 = 4;
const SMALL_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    tail: Tail,
    rewrite_at: u64,
}

/// What was found of a journal.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) metadata: Metadata,
    pub(super) sound_bytes: u64,
}

/// Reads the journal of a directory; `None` if it has none.
///
/// # Errors
/// It cannot be read, not by this version, or is damaged.
pub(super) fn read(shared: &Shared, directory: &Path) -> Result<Option<Read>, OpenError> {
    let path = directory.join(NAME);
    let bytes = match contents(shared, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io { path, error }),
        Ok(bytes) => bytes,
    };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    check_format(directory, &path, first)?;
    let mut read = Read { metadata: Metadata::default(), sound_bytes: first.len() as u64 };
    let mut bad: Option<u64> = None;
    let mut position = read.sound_bytes;
    for line in lines {
        let whole = line.strip_suffix(b"\n").and_then(text_of);
        match whole.map(entry) {
            Some(Some(entry)) if bad.is_none() => {
                read.metadata.apply(entry);
                read.sound_bytes = position + line.len() as u64;
            }
            // A sound line behind a bad one, or one that says what nobody here understands.
            Some(_) => {
                return Err(OpenError::Damaged { path, position: bad.unwrap_or(position) });
            }
            None if holds_entry(line) => {
                return Err(OpenError::Damaged { path, position: bad.unwrap_or(position) });
            }
            None => bad = bad.or(Some(position)),
        }
        position += line.len() as u64;
    }
    if let Some(position) = bad {
        let path = path.display();
        tracing::warn!(%path, position, "cut off a torn entry at the end of the journal");
    }
    Ok(Some(read))
}

/// Whether there is a sound entry somewhere in a line that is none: its beginning was lost.
fn holds_entry(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    (1..line.len()).any(|from| could_begin(&line[from..]) && text_of(&line[from..]).is_some())
}

fn contents(shared: &Shared, path: &Path) -> io::Result<Vec<u8>> {
    let mut handle = shared.open_files.files().open(path)?;
    let mut bytes = vec![0; usize::try_from(handle.length()?).unwrap_or(usize::MAX)];
    handle.read_at(0, &mut bytes)?;
    Ok(bytes)
}

fn check_format(directory: &Path, path: &Path, first: &[u8]) -> Result<(), OpenError> {
    let text = first.strip_suffix(b"\n").and_then(text_of);
    let format = text.and_then(|text| text.strip_prefix(FORMAT_WORD)?.trim().parse::<u32>().ok());
    match format {
        Some(FORMAT) => Ok(()),
        Some(format) => {
            Err(OpenError::OtherFormat { directory: directory.to_owned(), format, known: FORMAT })
        }
        None => Err(OpenError::Damaged { path: path.to_owned(), position: 0 }),
    }
}

impl Journal {
    /// Starts a journal with this in it, in place of one that has `sound_bytes` if there is one.
    ///
    /// # Errors
    /// There is none yet, and none can be made.
    pub(super) fn open(
        shared: &Shared,
        directory: &Path,
        metadata: &Metadata,
        sound_bytes: Option<u64>,
    ) -> Result<Self, Failed> {
        let replaced = replace(shared, directory, &metadata.clone().into_entries());
        let tail = match (replaced, sound_bytes) {
            (Ok(tail), _) => tail,
            (Err(failed), None) => return Err(failed),
            // A full disk is no reason not to serve what there is.
            (Err(_), Some(sound_bytes)) => {
                let mut tail = Tail::of(shared, directory.join(NAME), sound_bytes);
                tail.cut(shared)?;
                tail
            }
        };
        let rewrite_at = (GROWTH * tail.end).max(SMALL_BYTES);
        Ok(Self { directory: directory.to_owned(), tail, rewrite_at })
    }

    pub(super) fn append(&mut self, shared: &Shared, entries: &[Entry]) -> Result<(), Failed> {
        let mut lines = Vec::new();
        entries.iter().for_each(|entry| put_line(&mut lines, &text(entry)));
        self.tail.append(shared, &[&lines])?;
        shared.syncer.wrote_journal(&self.tail.file);
        Ok(())
    }

    pub(super) fn wants_rewrite(&self, shared: &Shared) -> bool {
        let lost = self.tail.writable(shared).is_err() && !shared.is_closed();
        lost || self.tail.end >= self.rewrite_at
    }

    /// # Errors
    /// The old journal stays.
    pub(super) fn rewrite(&mut self, shared: &Shared, entries: &[Entry]) -> Result<(), Failed> {
        match replace(shared, &self.directory, entries) {
            Ok(tail) => {
                self.rewrite_at = (GROWTH * tail.end).max(SMALL_BYTES);
                self.tail = tail;
                Ok(())
            }
            Err(failed) => {
                // Not again with every entry.
                self.rewrite_at = self.rewrite_at.max(self.tail.end).saturating_mul(2);
                Err(failed)
            }
        }
    }
}

/// Writes a new journal beside the old one and puts it in its place when it is safe.
fn replace(shared: &Shared, directory: &Path, entries: &[Entry]) -> Result<Tail, Failed> {
    let (new, path) = (directory.join(NEW_NAME), directory.join(NAME));
    let mut lines = Vec::new();
    put_line(&mut lines, &format!("{FORMAT_WORD} {FORMAT}"));
    entries.iter().for_each(|entry| put_line(&mut lines, &text(entry)));
    let mut tail = Tail::create(shared, new.clone())?;
    tail.append(shared, &[&lines])?;
    let end = tail.end;
    let files = shared.open_files.files();
    let replaced = files
        .sync_file(&new)
        .and_then(|()| files.rename(&new, &path))
        .and_then(|()| files.sync_directory(directory));
    replaced.map_err(|error| shared.failed(&path, &error))?;
    Ok(Tail::of(shared, path, end))
}
