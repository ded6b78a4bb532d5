//! One entry of the journal as a line of text: a checksum, then words. People can read it, and mend it
//! with an editor when they must.

use std::fmt::{Display, Write as _};
use std::str::FromStr;

use crate::broker_config::Whose;
use crate::group::offsets::CommittedOffset;
use crate::metadata::{Config, Entry};

/// Stands for an empty word; a percent sign never stands alone otherwise.
const EMPTY: &str = "%";
/// Stands for a time that never comes.
const NEVER: i64 = -1;
const CHECKSUM_DIGITS: usize = 8;

/// Adds a line with this text.
pub(super) fn put_line(lines: &mut Vec<u8>, text: &str) {
    let checksum = crc32c::crc32c(text.as_bytes());
    lines.extend_from_slice(format!("{checksum:0CHECKSUM_DIGITS$x} {text}\n").as_bytes());
}

/// The text of a line (without its end), if it is sound.
pub(super) fn text_of(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let (checksum, text) = line.split_once(' ')?;
    let sound = checksum.len() == CHECKSUM_DIGITS
        && u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(text.as_bytes());
    sound.then_some(text)
}

/// A cheap look before a checksum is computed.
pub(super) fn could_begin(line: &[u8]) -> bool {
    line.get(CHECKSUM_DIGITS) == Some(&b' ') && line[..CHECKSUM_DIGITS].is_ascii()
}

/// An entry's text.
pub(super) fn text(entry: &Entry) -> String {
    let mut words = Words::default();
    match entry {
        Entry::ClusterId(id) => words.of("cluster-id").text(id),
        Entry::Starts(starts) => words.of("starts").number(starts),
        Entry::ProducerIdsTaken(below) => words.of("producer-ids").number(below),
        Entry::TopicCreated { name, id, partitions, config } => {
            words.of("topic").text(name).number(id).number(partitions).config(config)
        }
        Entry::TopicDeleted(name) => words.of("topic-deleted").text(name),
        Entry::PartitionsAdded { topic, partitions } => {
            words.of("partitions").text(topic).number(partitions)
        }
        Entry::TopicConfigured { topic, config } => {
            words.of("topic-config").text(topic).config(config)
        }
        Entry::BrokerConfigured { whose: Whose::ThisBroker, config } => {
            words.of("broker-config").config(config)
        }
        Entry::BrokerConfigured { whose: Whose::AllBrokers, config } => {
            words.of("brokers-config").config(config)
        }
        Entry::LogStartMoved { topic, partition, offset } => {
            words.of("log-start").text(topic).number(partition).number(offset)
        }
        Entry::OffsetCommitted { group, topic, partition, committed } => {
            let words = words.of("offset").text(group).text(topic).number(partition);
            let words = words.number(committed.offset).number(committed.leader_epoch);
            let words = words.text(&committed.metadata).number(committed.committed_wall_ms);
            words.number(committed.expires_wall_ms.unwrap_or(NEVER))
        }
        Entry::OffsetDeleted { group, topic, partition } => {
            words.of("offset-deleted").text(group).text(topic).number(partition)
        }
        Entry::GroupDeleted(group) => words.of("group-deleted").text(group),
    };
    words.0
}

/// Reads what [`text`] wrote. `None`: no entry that this version knows.
pub(super) fn entry(text: &str) -> Option<Entry> {
    let mut words = text.split(' ');
    let words = &mut words;
    let entry = match words.next()? {
        "cluster-id" => Entry::ClusterId(word(words)?),
        "starts" => Entry::Starts(number(words)?),
        "producer-ids" => Entry::ProducerIdsTaken(number(words)?),
        "topic" => Entry::TopicCreated {
            name: word(words)?,
            id: number(words)?,
            partitions: number(words)?,
            config: config(words)?,
        },
        "topic-deleted" => Entry::TopicDeleted(word(words)?),
        "partitions" => Entry::PartitionsAdded { topic: word(words)?, partitions: number(words)? },
        "topic-config" => Entry::TopicConfigured { topic: word(words)?, config: config(words)? },
        "broker-config" => {
            Entry::BrokerConfigured { whose: Whose::ThisBroker, config: config(words)? }
        }
        "brokers-config" => {
            Entry::BrokerConfigured { whose: Whose::AllBrokers, config: config(words)? }
        }
        "log-start" => Entry::LogStartMoved {
            topic: word(words)?,
            partition: number(words)?,
            offset: number(words)?,
        },
        "offset" => Entry::OffsetCommitted {
            group: word(words)?,
            topic: word(words)?,
            partition: number(words)?,
            committed: CommittedOffset {
                offset: number(words)?,
                leader_epoch: number(words)?,
                metadata: word(words)?,
                committed_wall_ms: number(words)?,
                expires_wall_ms: Some(number(words)?).filter(|ms| *ms != NEVER),
            },
        },
        "offset-deleted" => Entry::OffsetDeleted {
            group: word(words)?,
            topic: word(words)?,
            partition: number(words)?,
        },
        "group-deleted" => Entry::GroupDeleted(word(words)?),
        _ => return None,
    };
    words.next().is_none().then_some(entry)
}

#[derive(Default)]
struct Words(String);

impl Words {
    fn of(&mut self, kind: &str) -> &mut Self {
        self.0.push_str(kind);
        self
    }

    fn number(&mut self, number: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {number}");
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(' ');
        self.0.push_str(if text.is_empty() { EMPTY } else { "" });
        for byte in text.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                self.0.push(char::from(byte));
            } else {
                let _ = write!(self.0, "%{byte:02x}");
            }
        }
        self
    }

    fn config(&mut self, config: &Config) -> &mut Self {
        for (name, value) in config {
            self.text(&format!("{name}={value}"));
        }
        self
    }
}

fn number<'a, N: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<N> {
    words.next()?.parse().ok()
}

fn word<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    unescape(words.next()?)
}

fn config<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Config> {
    let settings = words.map(|setting| {
        let setting = unescape(setting)?;
        let (name, value) = setting.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    settings.collect()
}

fn unescape(word: &str) -> Option<String> {
    if word == EMPTY {
        return Some(String::new());
    }
    let mut pieces = word.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let text = || ".{0,12}";
        let config = proptest::collection::btree_map("[a-z.]{1,8}", ".{0,8}", 0..3);
        let times = (any::<i64>(), proptest::option::of(0..i64::MAX));
        let offset = (text(), text(), any::<i32>(), any::<i64>(), any::<i32>(), text(), times);
        let whose = prop_oneof![Just(Whose::ThisBroker), Just(Whose::AllBrokers)];
        prop_oneof![
            text().prop_map(Entry::ClusterId),
            any::<u64>().prop_map(Entry::Starts),
            any::<i64>().prop_map(Entry::ProducerIdsTaken),
            (text(), any::<u128>(), any::<usize>(), config.clone()).prop_map(
                |(name, id, partitions, config)| {
                    let id = Uuid::from_u128(id);
                    Entry::TopicCreated { name, id, partitions, config }
                }
            ),
            text().prop_map(Entry::TopicDeleted),
            (text(), any::<usize>())
                .prop_map(|(topic, partitions)| Entry::PartitionsAdded { topic, partitions }),
            (text(), config.clone())
                .prop_map(|(topic, config)| Entry::TopicConfigured { topic, config }),
            (text(), any::<i32>(), any::<i64>()).prop_map(|(topic, partition, offset)| {
                Entry::LogStartMoved { topic, partition, offset }
            }),
            (whose, config.clone())
                .prop_map(|(whose, config)| Entry::BrokerConfigured { whose, config }),
            offset.prop_map(|(group, topic, partition, offset, leader_epoch, metadata, times)| {
                let (committed_wall_ms, expires_wall_ms) = times;
                let committed = CommittedOffset {
                    offset,
                    leader_epoch,
                    metadata,
                    committed_wall_ms,
                    expires_wall_ms,
                };
                Entry::OffsetCommitted { group, topic, partition, committed }
            }),
            (text(), text(), any::<i32>()).prop_map(|(group, topic, partition)| {
                Entry::OffsetDeleted { group, topic, partition }
            }),
            text().prop_map(Entry::GroupDeleted),
        ]
    }

    proptest! {
        #[test]
        fn entries_come_back_from_one_line(written in entries()) {
            let mut line = Vec::new();
            put_line(&mut line, &text(&written));
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(text_of(&line).and_then(entry), Some(written));
        }

        #[test]
        fn a_changed_byte_is_noticed(written in entries(), at in any::<prop::sample::Index>()) {
            let mut line = Vec::new();
            put_line(&mut line, &text(&written));
            line.pop();
            let at = at.index(line.len());
            line[at] ^= 1;
            prop_assert_eq!(text_of(&line).and_then(entry), None);
        }

        #[test]
        fn nonsense_is_no_entry(text in ".{0,40}") {
            prop_assert_eq!(entry(&text), None);
        }
    }
}
