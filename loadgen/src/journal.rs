//! What the load generator asked the shop for and what it was told: the auditor's evidence. One JSON
//! line per ended order iteration, in `shard-<n>.jsonl`.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context;
use contract::Timestamp;
use contract::events::EventType;
use contract::ids::{OrderId, ProductId};
use serde::{Deserialize, Serialize};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Order(OrderEntry),
    Violation(ViolationEntry),
}

/// An order iteration that ended or was cut off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderEntry {
    /// The `Idempotency-Key` that every attempt carried.
    pub key: String,
    pub product_id: ProductId,
    pub quantity: u32,
    pub outcome: Outcome,
    /// From the 201.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Of the last response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When the first attempt began.
    pub sent_at: Timestamp,
    /// Of a watched order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketEntry>,
}

/// What is known of a request's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A 201 came: the order must exist, once.
    Created,
    /// The shop said no, or no attempt reached it: the order must not exist.
    Refused,
    /// No answer that says either: the order may exist, once.
    Unknown,
}

/// What a watcher saw at its WebSockets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SocketEntry {
    /// Sockets opened: more than one after reconnects.
    pub opened: u32,
    /// Order updates received, over all sockets.
    pub frames: u32,
    /// The events of the last update, in its order.
    pub events: Vec<EventType>,
    /// Whether the watcher saw the order end.
    pub ended: bool,
    /// Updates that took something back or put an effect before its cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Cow<'static, str>>,
}

/// Something that must never happen, seen outside of an order iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ViolationEntry {
    pub violation: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
}

/// The file of a shard.
#[must_use]
pub fn path(directory: &Path, shard: u32) -> PathBuf {
    directory.join(format!("shard-{shard}.jsonl"))
}

/// Lines are gathered up to this size before they go to the writer.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks on their way. When the disk is slower than that for long, the shard waits: its send lag
/// shows it, and its memory stays bounded.
const CHUNKS_IN_FLIGHT: usize = 64;

/// Writes a shard's journal. The file is written by a thread of its own, for disks have moods.
pub(crate) struct Journal {
    chunk: Vec<u8>,
    sender: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<std::io::Result<()>>>,
}

impl Journal {
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("cannot create the journal {}", path.display()))?;
        let (sender, receiver) = sync_channel(CHUNKS_IN_FLIGHT);
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_chunks(file, &receiver))?;
        let chunk = Vec::with_capacity(CHUNK_BYTES);
        Ok(Self { chunk, sender: Some(sender), writer: Some(writer) })
    }

    /// Appends a [`Line`], or what one holds.
    pub(crate) fn write(&mut self, line: &impl Serialize) {
        // Serializing into memory has no way to fail.
        let _ = serde_json::to_writer(&mut self.chunk, line);
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK_BYTES - CHUNK_BYTES / 8 {
            self.flush();
        }
    }

    /// Hands over what has been gathered.
    pub(crate) fn flush(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        if let Some(sender) = &self.sender {
            // The writer is gone only after an error, which `close` reports.
            let _ = sender.send(chunk);
        }
    }

    /// Completes the file.
    ///
    /// # Errors
    /// When a write failed, now or before: the journal is incomplete then.
    pub(crate) fn close(&mut self) -> anyhow::Result<()> {
        self.flush();
        self.sender = None;
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let written =
            writer.join().map_err(|_| anyhow::anyhow!("the journal's thread panicked"))?;
        written.context("cannot write the journal")
    }
}

fn write_chunks(mut file: File, chunks: &Receiver<Vec<u8>>) -> std::io::Result<()> {
    chunks.iter().try_for_each(|chunk| file.write_all(&chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), 0);
        let mut journal = Journal::create(&path).unwrap();
        let order = Line::Order(OrderEntry {
            key: "k-1".into(),
            product_id: ProductId::Product1,
            quantity: 2,
            outcome: Outcome::Created,
            order_id: Some(OrderId::for_idempotency_key("k-1")),
            status: Some(201),
            sent_at: Timestamp::from_timestamp_millis(1_750_000_000_123).unwrap(),
            socket: Some(SocketEntry {
                opened: 1,
                frames: 3,
                events: vec![EventType::OrderCreated],
                ended: false,
                violations: vec!["the second frame took Shipped back".into()],
            }),
        });
        let violation =
            Line::Violation(ViolationEntry { violation: "404 after 200".into(), order_id: None });
        for _ in 0..1000 {
            journal.write(&order);
            journal.write(&violation);
        }
        journal.close().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 2000);
        assert!(lines.chunks(2).all(|pair| pair == [order.clone(), violation.clone()]));
        assert!(text.starts_with(
            r#"{"key":"k-1","product_id":"product-1","quantity":2,"outcome":"created","order_id":"#
        ));
    }
}
