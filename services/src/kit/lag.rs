//! How far a consumer is behind the end of each of its partitions.

use contract::topics::Topic;

use super::metrics::CONSUMER_LAG;

/// One partition of one consumer. Counts as done with when it is dropped: others have it then.
pub(crate) struct Lag {
    gauge: metrics::Gauge,
    /// One past the last record that the partition is known to hold.
    high_watermark: i64,
}

impl Lag {
    pub(crate) fn new(consumer: &str, topic: Topic, partition: i32) -> Self {
        let gauge = CONSUMER_LAG.series(&[
            ("consumer", consumer.to_owned()),
            ("topic", topic.name().to_owned()),
            ("partition", partition.to_string()),
        ]);
        Self { gauge, high_watermark: 0 }
    }

    /// A fetch told where the partition ends.
    pub(crate) fn ends_at(&mut self, high_watermark: i64) {
        self.high_watermark = self.high_watermark.max(high_watermark);
    }

    /// Everything before `next_offset` is done.
    pub(crate) fn show(&self, next_offset: i64) {
        self.gauge.set((self.high_watermark - next_offset).max(0) as f64);
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.gauge.set(0.0);
    }
}
