//! What consumers subscribe to, read from the metadata they join with.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::state::Group;
use crate::wire::{Fatal, Reader};

/// The protocol type of consumers; only of theirs it is known what the metadata means.
const CONSUMER: &str = "consumer";

impl Group {
    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type == CONSUMER
    }

    /// The topics that members read. None where that is not known.
    pub(crate) fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(topics_of(&member.metadata(&self.protocol_name)).ok()?);
        }
        Some(topics)
    }

    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics().is_some_and(|topics| topics.contains(topic))
    }
}

/// A subscription begins with its version and the names of the topics, in every version.
fn topics_of(metadata: &Bytes) -> Result<Vec<String>, Fatal> {
    let mut reader = Reader::new(metadata);
    reader.i16()?;
    let count = reader.count(false)?;
    (0..count).map(|_| Ok(reader.string(false)?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_nonsense_is_not() {
        let metadata = [0, 3, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 9, 9, 9];
        let topics = topics_of(&Bytes::copy_from_slice(&metadata));
        assert_eq!(topics.unwrap(), ["a", "bc"]);
        for nonsense in [&b""[..], b"orders", &[0, 0, 0x7f, 0xff, 0xff, 0xff]] {
            assert!(topics_of(&Bytes::copy_from_slice(nonsense)).is_err());
        }
    }
}
