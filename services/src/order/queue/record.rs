//! How one order lies in a segment. Pure.
//!
//! ```text
//! length u32, crc32c u32 of the rest                                              little endian
//! sequence u64, at i64 (µs), trace u128, span u64, sampled u8, event …            `length` bytes
//! ```

use bytes::Buf;
use contract::Timestamp;

use crate::kit::trace::TraceContext;

/// Bytes before the checked part: length and checksum.
const FRAME: usize = 8;

/// Bytes of the checked part before the event.
const FIXED: usize = 41;

/// Longest event that is believed: an `OrderCreated` with the longest key has a tenth of it.
const MAX_EVENT: usize = 8 * 1024;

/// What is kept of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it was ordered.
    pub(crate) at: Timestamp,
    pub(crate) trace: Option<TraceContext>,
    /// The event as it will stand in the log.
    pub(crate) event: Vec<u8>,
}

/// An order that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its place in the queue: ascending, never used twice.
    pub(crate) sequence: u64,
    pub(crate) entry: Entry,
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record, and how many bytes it takes.
    Record(Record, usize),
    /// Nothing but the end.
    End,
    /// No record.
    Damage,
}

/// Bytes that an event of this length takes.
pub(super) const fn framed(event_length: usize) -> usize {
    FRAME + FIXED + event_length
}

/// Puts a record behind what `buffer` holds.
pub(super) fn encode(sequence: u64, entry: &Entry, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    let length = u32::try_from(FIXED + entry.event.len()).unwrap_or(u32::MAX);
    // A trace has no id 0: that stands for none.
    let none = TraceContext { trace_id: 0, span_id: 0, sampled: false };
    let trace = entry.trace.unwrap_or(none);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&entry.at.timestamp_micros().to_le_bytes());
    buffer.extend_from_slice(&trace.trace_id.to_le_bytes());
    buffer.extend_from_slice(&trace.span_id.to_le_bytes());
    buffer.push(u8::from(trace.sampled));
    buffer.extend_from_slice(&entry.event);
    let checksum = crc32c::crc32c(&buffer[start + FRAME..]);
    buffer[start + 4..start + FRAME].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads what stands at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Found {
    if bytes.is_empty() {
        return Found::End;
    }
    read(bytes).map_or(Found::Damage, |record| {
        let length = framed(record.entry.event.len());
        Found::Record(record, length)
    })
}

fn read(mut bytes: &[u8]) -> Option<Record> {
    let length = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    let checksum = bytes.try_get_u32_le().ok()?;
    if !(FIXED..=FIXED + MAX_EVENT).contains(&length) {
        return None;
    }
    let mut checked = bytes.get(..length)?;
    if crc32c::crc32c(checked) != checksum {
        return None;
    }
    let sequence = checked.get_u64_le();
    let at = Timestamp::from_timestamp_micros(checked.get_i64_le())?;
    let (trace_id, span_id) = (checked.get_u128_le(), checked.get_u64_le());
    let sampled = checked.get_u8() != 0;
    let trace = (trace_id != 0).then_some(TraceContext { trace_id, span_id, sampled });
    Some(Record { sequence, entry: Entry { at, trace, event: checked.to_vec() } })
}

/// A piece of a segment that holds no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The beginning of a record that ends before it should: what a write that was cut off leaves.
    pub(super) torn: bool,
}

/// Reads a segment from `offset` on, which is where `bytes` begin. A record after some damage is found
/// by looking at every byte: its checksum says that it is one.
pub(super) fn scan(bytes: &[u8], offset: u64, mut each: impl FnMut(Record)) -> Vec<Damage> {
    let mut damages = Vec::new();
    let mut place = 0;
    loop {
        match decode(&bytes[place..]) {
            Found::End => return damages,
            Found::Record(record, length) => {
                each(record);
                place += length;
            }
            Found::Damage => {
                let good = |at: &usize| matches!(decode(&bytes[*at..]), Found::Record(..));
                let next = (place + 1..bytes.len()).find(good);
                let end = next.unwrap_or(bytes.len());
                damages.push(Damage {
                    offset: offset + place as u64,
                    bytes: (end - place) as u64,
                    torn: next.is_none() && is_cut_off(&bytes[place..]),
                });
                place = end;
            }
        }
    }
}

/// Whether `bytes` are the beginning of a record, or the zeros that a file system puts where data was to
/// come before the power failed.
fn is_cut_off(mut bytes: &[u8]) -> bool {
    if bytes.iter().all(|byte| *byte == 0) {
        return true;
    }
    match bytes.try_get_u32_le() {
        Ok(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            (FIXED..=FIXED + MAX_EVENT).contains(&length) && bytes.len() < FRAME - 4 + length
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(sequence: u64) -> Record {
        let at = Timestamp::from_timestamp_micros(1_750_000_000_123_456).unwrap();
        let event = format!("{{\"order\":{sequence}}}").into_bytes();
        let trace = TraceContext { trace_id: 7, span_id: 8, sampled: sequence == 0 };
        let trace = (sequence < 2).then_some(trace);
        Record { sequence, entry: Entry { at, trace, event } }
    }

    fn segment(count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for sequence in 0..count {
            let record = record(sequence);
            encode(record.sequence, &record.entry, &mut bytes);
        }
        bytes
    }

    fn read_all(bytes: &[u8]) -> (Vec<u64>, Vec<Damage>) {
        let mut records = Vec::new();
        let damages = scan(bytes, 100, |record| records.push(record.sequence));
        (records, damages)
    }

    #[test]
    fn records_come_back_as_they_went_in() {
        let mut records = Vec::new();
        assert_eq!(scan(&segment(3), 0, |record| records.push(record)), []);
        assert_eq!(records, [record(0), record(1), record(2)]);
    }

    proptest! {
        /// Cut anywhere: what was whole before the cut is read, and the rest is told as damage at the end.
        #[test]
        fn a_torn_tail_costs_what_it_tore(cut in 0..segment(5).len()) {
            let bytes = segment(5);
            let each = bytes.len() / 5;
            let (records, damages) = read_all(&bytes[..cut]);
            prop_assert_eq!(records.len(), cut / each);
            prop_assert_eq!(damages.is_empty(), cut % each == 0);
            prop_assert!(damages.iter().all(|damage| damage.torn));
        }

        /// Any one byte changed: exactly the record that it belonged to is missing, and its place is told.
        #[test]
        fn a_changed_byte_costs_one_record(place in 0..segment(5).len(), change in 1..=255_u8) {
            let mut bytes = segment(5);
            let each = bytes.len() / 5;
            bytes[place] ^= change;
            let (records, damages) = read_all(&bytes);
            let hit = (place / each) as u64;
            let expected: Vec<u64> = (0..5).filter(|sequence| *sequence != hit).collect();
            prop_assert_eq!(records, expected);
            prop_assert_eq!(damages.len(), 1);
            prop_assert_eq!(damages[0].offset, 100 + hit * each as u64);
            prop_assert!(hit == 4 || !damages[0].torn);
        }
    }
}
