//! What the load generator's clients sent and were told: its journals, one JSON line each.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

pub use loadgen::journal::{OrderEntry, Outcome, SocketEntry, ViolationEntry};

/// All journals of a phase.
#[derive(Debug, Default)]
pub struct Journal {
    pub requests: Vec<OrderEntry>,
    /// What clients saw outside of their own order's request and socket.
    pub sightings: Vec<ViolationEntry>,
}

/// A journal that cannot be read. A torn last line is one too: the load generator ended too early.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot read the journal {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} line {line}: not a journal entry: {source}")]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

impl Journal {
    /// Reads `paths`, in that order.
    ///
    /// # Errors
    /// [`JournalError`]: a file that cannot be read, or a line that is no entry.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, JournalError> {
        let mut journal = Self::default();
        for path in paths {
            let path = path.as_ref();
            let file = File::open(path)
                .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
            journal.take(BufReader::new(file), path)?;
        }
        Ok(journal)
    }

    fn take(&mut self, reader: impl BufRead, path: &Path) -> Result<(), JournalError> {
        for (at, line) in reader.lines().enumerate() {
            let line = line.map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
            match serde_json::from_str(&line) {
                Ok(request) => self.requests.push(request),
                Err(source) => match serde_json::from_str(&line) {
                    Ok(sighting) => self.sightings.push(sighting),
                    Err(_) => {
                        let (path, line) = (path.to_owned(), at + 1);
                        return Err(JournalError::Line { path, line, source });
                    }
                },
            }
        }
        Ok(())
    }
}
