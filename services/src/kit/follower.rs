//! A plain reader of whole topics from their beginning, without a group: for views and folds.

use std::collections::BTreeMap;

use contract::topics::Topic;

use super::lag::Lag;
use super::log::{Log, Received};
use super::reader::{Batch, Readers, Reading, Span};
use super::snapshot::{Anchor, Cut};

/// Follows topics. Dropping it ends it.
pub(crate) struct Follower {
    readers: Readers,
    unreadable: u64,
    /// What has been handed out.
    read: Cut,
    records: u64,
    /// Under which name its lag is told, and of each partition that brought something.
    consumer: Option<&'static str>,
    lags: BTreeMap<(Topic, i32), Lag>,
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
        Self {
            readers,
            unreadable: 0,
            read: known,
            records: 0,
            consumer: None,
            lags: BTreeMap::new(),
        }
    }

    /// Tells how far it is behind, under this name.
    pub(crate) fn with_lag(self, consumer: &'static str) -> Self {
        Self { consumer: Some(consumer), ..self }
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
                    self.show_lag(&batch);
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

    /// Records that the topics hold and that have not been handed out.
    pub(crate) fn lag(&self) -> u64 {
        self.readers.beyond(|place| self.read.get(&place).map_or(0, |mark| mark.next_offset))
    }

    /// Records handed out so far.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    fn show_lag(&mut self, batch: &Batch) {
        let Some(consumer) = self.consumer else { return };
        let Batch { topic, partition, .. } = *batch;
        let lag = self.lags.entry((topic, partition));
        let lag = lag.or_insert_with(|| Lag::new(consumer, topic, partition));
        lag.ends_at(batch.high_watermark);
        lag.show(batch.next_offset);
    }

    /// Records so far that nobody could read.
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}
