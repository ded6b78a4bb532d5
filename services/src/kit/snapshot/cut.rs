//! Where in the log a state stands.

use std::collections::BTreeMap;

use contract::Timestamp;
use contract::topics::Topic;

use crate::kit::log::Received;
use crate::kit::record::Unreadable;

/// By which a record is recognised: the same offset of another log holds another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) offset: i64,
    pub(crate) timestamp_us: i64,
    /// Of the record's value.
    pub(crate) crc: u32,
}

impl Anchor {
    fn new(offset: i64, timestamp: Timestamp, value: &[u8]) -> Self {
        Self { offset, timestamp_us: timestamp.timestamp_micros(), crc: crc32c::crc32c(value) }
    }

    pub(crate) fn of(record: &Received) -> Self {
        Self::new(record.offset, record.timestamp, &record.value)
    }

    pub(crate) fn of_unreadable(unreadable: &Unreadable) -> Self {
        let value = unreadable.record.value.as_deref().unwrap_or_default();
        Self::new(unreadable.offset, unreadable.record.timestamp, value)
    }
}

/// How far one partition has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// Everything below is in.
    pub(crate) next_offset: i64,
    /// The last record below that is an event or a broken one; none when there was none yet.
    pub(crate) anchor: Option<Anchor>,
}

impl Mark {
    /// Everything below `next_offset` is in now, and `anchor` is the last record of it.
    pub(crate) fn advance(&mut self, next_offset: i64, anchor: Option<Anchor>) {
        self.next_offset = self.next_offset.max(next_offset);
        if anchor.is_some() {
            self.anchor = anchor;
        }
    }
}

/// How far each partition has been folded: what a state stands for.
pub(crate) type Cut = BTreeMap<(Topic, i32), Mark>;
