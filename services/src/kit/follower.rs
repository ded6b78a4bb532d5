//! A plain reader of whole topics from their beginning, without a group: for views and folds.

use contract::topics::Topic;

use super::log::{Log, Received};
use super::reader::{Readers, Reading, Span};

/// Follows topics. Dropping it ends it.
pub(crate) struct Follower {
    readers: Readers,
    unreadable: u64,
}

/// What a follower says.
#[derive(Debug)]
pub(crate) enum Followed {
    /// Records of one partition, in order. What nobody can read is counted and left out.
    Records(Vec<Received>),
    /// Once: every partition reached the high watermark that it had at the start.
    CaughtUp,
    /// Whether every partition has its broker. Said when it changes; at the start they have.
    Connected(bool),
}

impl Follower {
    /// Starts following all partitions of `topics` from their beginning.
    pub(crate) fn start(log: &Log, topics: &[Topic]) -> Self {
        let span = |topic, partition| Span { topic, partition, from: 0, until: None };
        let spans = topics
            .iter()
            .flat_map(|topic| (0..log.partitions).map(move |partition| span(*topic, partition)))
            .collect();
        Self { readers: Readers::start(log, spans, log.fetch_linger), unreadable: 0 }
    }

    /// The next news; `None` never comes while the follower lives.
    pub(crate) async fn next(&mut self) -> Option<Followed> {
        loop {
            match self.readers.next().await? {
                Reading::Batch(batch) => {
                    self.unreadable += batch.unreadable.len() as u64;
                    if !batch.records.is_empty() {
                        return Some(Followed::Records(batch.records));
                    }
                }
                Reading::CaughtUp => return Some(Followed::CaughtUp),
                Reading::Connected(connected) => return Some(Followed::Connected(connected)),
            }
        }
    }

    /// Records so far that nobody could read.
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}
