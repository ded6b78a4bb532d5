//! A plain reader of whole topics from their beginning, without a group: for views and folds.

use contract::topics::Topic;

use super::lag::Lags;
use super::log::{Log, Received};
use super::reader::{Readers, Reading, Span};
use super::snapshot::{Anchor, Cut};

/// Follows topics. Dropping it ends it.
pub(crate) struct Follower {
    readers: Readers,
    unreadable: u64,
    /// What has been handed out.
    read: Cut,
    records: u64,
    /// Where its lag is told.
    lags: Option<Lags>,
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
    /// Starts following all partitions of `topics`, from where `known` ends.
    pub(crate) fn start(log: &Log, topics: &[Topic], known: Cut) -> Self {
        let place = |topic: &Topic| {
            let topic = *topic;
            (0..log.partitions).map(move |partition| (topic, partition))
        };
        let span = |(topic, partition)| {
            let from = known.get(&(topic, partition)).map_or(0, |mark| mark.next_offset);
            Span { topic, partition, from, until: None }
        };
        let spans = topics.iter().flat_map(place).map(span).collect();
        let readers = Readers::start(log, spans, log.fetch_linger);
        Self { readers, unreadable: 0, read: known, records: 0, lags: None }
    }

    /// Tells how far it is behind, under this name.
    pub(crate) fn with_lag(self, consumer: &'static str) -> Self {
        let lags = Lags::new(consumer, self.readers.places());
        Self { lags: Some(lags), ..self }
    }

    /// The next news; `None` never comes while the follower lives.
    pub(crate) async fn next(&mut self) -> Option<Followed> {
        loop {
            match self.readers.next().await? {
                Reading::Batch(batch) => {
                    self.unreadable += batch.unreadable.len() as u64;
                    self.records += batch.records.len() as u64;
                    let anchor = batch.records.last().map(Anchor::of);
                    let mark = self.read.entry((batch.topic, batch.partition)).or_default();
                    mark.advance(batch.next_offset, anchor);
                    if !batch.records.is_empty() {
                        return Some(Followed::Records(batch.records));
                    }
                }
                Reading::CaughtUp => return Some(Followed::CaughtUp),
                Reading::Connected(connected) => return Some(Followed::Connected(connected)),
            }
        }
    }

    /// How far it is: what stands below has been handed out.
    pub(crate) const fn read(&self) -> &Cut {
        &self.read
    }

    /// Records that the topics hold and that have not been handed out; shows them, partition by partition.
    pub(crate) fn lag(&self) -> u64 {
        let done = |place| self.read.get(&place).map_or(0, |mark| mark.next_offset);
        self.lags.as_ref().map_or(0, |lags| lags.show(self.readers.beyond(done)))
    }

    /// Records handed out so far.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Records so far that nobody could read.
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}
