//! What the load generator's clients sent and were told: its journals, one JSON line each.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use contract::Timestamp;
use contract::events::EventType;
use contract::ids::{OrderId, ProductId};
use serde::Deserialize;

/// What a client knows about its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 201.
    Created,
    /// 4xx: there must be no order.
    Refused,
    /// 5xx, a time-out, a connection that broke: there may be an order, once.
    Unknown,
}

/// A request for an order.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// The `Idempotency-Key`, which the order carries as its `request_id`.
    pub key: Box<str>,
    pub product_id: ProductId,
    pub quantity: u32,
    pub outcome: Outcome,
    #[serde(default)]
    pub order_id: Option<OrderId>,
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    #[serde(default)]
    pub socket: Option<Box<Socket>>,
}

/// What a client saw at its order's WebSocket.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Socket {
    /// How often it was opened: 1 and the reconnects.
    pub opened: u32,
    pub frames: u32,
    /// The types of the events in the last frame, in its order.
    pub events: Vec<EventType>,
    /// The client saw the order's end.
    pub ended: bool,
    /// Frames that were out of order, shrank, or belonged to another order.
    #[serde(default)]
    pub violations: Vec<String>,
}

/// Something a client saw that must not be, outside of a socket.
#[derive(Debug, Clone, Deserialize)]
pub struct Sighting {
    pub violation: String,
    #[serde(default)]
    pub order_id: Option<OrderId>,
}

/// All journals of a phase.
#[derive(Debug, Default)]
pub struct Journal {
    pub requests: Vec<Request>,
    pub sightings: Vec<Sighting>,
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

    /// Frames seen at all sockets.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let sockets = self.requests.iter().filter_map(|request| request.socket.as_ref());
        sockets.map(|socket| u64::from(socket.frames)).sum()
    }
}
