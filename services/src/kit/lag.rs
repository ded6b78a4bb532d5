//! How far a consumer is behind the end of each of its partitions.

use std::collections::BTreeMap;

use contract::topics::Topic;

use super::metrics::CONSUMER_LAG;

/// The partitions of one consumer. Each counts as done with when this is dropped: others have it then.
pub(crate) struct Lags(BTreeMap<(Topic, i32), metrics::Gauge>);

impl Lags {
    pub(crate) fn new(consumer: &str, places: impl Iterator<Item = (Topic, i32)>) -> Self {
        let gauge = |(topic, partition): (Topic, i32)| {
            let gauge = CONSUMER_LAG.series(&[
                ("consumer", consumer.to_owned()),
                ("topic", topic.name().to_owned()),
                ("partition", partition.to_string()),
            ]);
            ((topic, partition), gauge)
        };
        Self(places.map(gauge).collect())
    }

    /// Shows how many records of each partition are not done with; all of them together.
    pub(crate) fn show(&self, behind: impl Iterator<Item = ((Topic, i32), u64)>) -> u64 {
        let show = |(place, records)| {
            if let Some(gauge) = self.0.get(&place) {
                #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                gauge.set(records as f64);
            }
            records
        };
        behind.map(show).sum()
    }
}

impl Drop for Lags {
    fn drop(&mut self) {
        self.0.values().for_each(|gauge| gauge.set(0.0));
    }
}
