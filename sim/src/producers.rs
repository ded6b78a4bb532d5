//! Idempotent producers of one partition: a repeated batch is answered with the offset that it got
//! the first time, a gap in the sequence is refused.
//!
//! | batch of a known producer                    | answer                           |
//! |----------------------------------------------|----------------------------------|
//! | older epoch                                  | INVALID_PRODUCER_EPOCH           |
//! | newer epoch, sequence 0                      | append, forget the old epoch     |
//! | newer epoch, other sequence                  | OUT_OF_ORDER_SEQUENCE_NUMBER     |
//! | same epoch, one of the last five batches     | its first offset, nothing stored |
//! | same epoch, next sequence                    | append                           |
//! | same epoch, any other sequence               | OUT_OF_ORDER_SEQUENCE_NUMBER     |
//!
//! A producer that the partition does not know may start anywhere, as in Kafka: its earlier
//! batches may have been removed by retention.

use std::collections::{BTreeMap, VecDeque};

use crate::error::ErrorCode;
use crate::log::batch::BatchHeader;

/// Kafka keeps as many: a producer has at most five requests in flight.
const REMEMBERED_BATCHES: usize = 5;
/// Producers known to one partition; the one that was silent for longest makes room.
const MAX_PRODUCERS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: BTreeMap<i64, Producer>,
}

#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    batches: VecDeque<Appended>,
}

impl Producer {
    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |last| last.last_sequence)
    }

    pub(crate) fn last_timestamp(&self) -> i64 {
        self.batches.back().map_or(-1, |last| last.timestamp)
    }
}

#[derive(Debug, Clone, Copy)]
struct Appended {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    /// The largest of the batch.
    timestamp: i64,
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Append,
    /// Stored before, at this base offset and with this largest timestamp.
    Duplicate {
        base_offset: i64,
        timestamp: i64,
    },
}

impl Producers {
    pub(crate) fn admit(&self, header: &BatchHeader) -> Result<Admission, ErrorCode> {
        if header.producer_id < 0 {
            return Ok(Admission::Append);
        }
        if header.base_sequence < 0 {
            return Err(ErrorCode::InvalidRecord);
        }
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            return Ok(Admission::Append);
        };
        if header.producer_epoch < producer.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if header.producer_epoch > producer.epoch {
            let starts_anew = header.base_sequence == 0;
            return starts_anew
                .then_some(Admission::Append)
                .ok_or(ErrorCode::OutOfOrderSequenceNumber);
        }
        let last_sequence = last_sequence(header);
        let duplicate = producer.batches.iter().find(|appended| {
            appended.first_sequence == header.base_sequence
                && appended.last_sequence == last_sequence
        });
        if let Some(appended) = duplicate {
            let Appended { base_offset, timestamp, .. } = *appended;
            return Ok(Admission::Duplicate { base_offset, timestamp });
        }
        let expected =
            producer.batches.back().map_or(0, |last| sequence_after(last.last_sequence, 1));
        if header.base_sequence == expected {
            Ok(Admission::Append)
        } else {
            Err(ErrorCode::OutOfOrderSequenceNumber)
        }
    }

    /// Remembers a batch that was admitted and appended.
    pub(crate) fn appended(&mut self, header: &BatchHeader, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        if self.by_id.len() >= MAX_PRODUCERS && !self.by_id.contains_key(&header.producer_id) {
            self.forget_the_most_silent();
        }
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert(Producer { epoch: header.producer_epoch, batches: VecDeque::new() });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Appended {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset,
            timestamp: header.max_timestamp,
        });
    }

    /// Producers by their id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }

    /// Forgets the producers whose newest batch has no timestamp after this one.
    pub(crate) fn expire(&mut self, before: i64) {
        self.by_id.retain(|_, producer| producer.last_timestamp() > before);
    }

    fn forget_the_most_silent(&mut self) {
        let last_append = |producer: &Producer| producer.batches.back().map(|b| b.base_offset);
        let silent = self.by_id.iter().min_by_key(|(_, producer)| last_append(producer));
        if let Some(id) = silent.map(|(id, _)| *id) {
            self.by_id.remove(&id);
        }
    }
}

fn last_sequence(header: &BatchHeader) -> i32 {
    sequence_after(header.base_sequence, header.record_count - 1)
}

/// Sequences wrap from the largest number to 0.
fn sequence_after(sequence: i32, steps: i32) -> i32 {
    ((i64::from(sequence) + i64::from(steps)) % (i64::from(i32::MAX) + 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_epoch: i16, base_sequence: i32, record_count: i32) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            codec: 0,
            log_append_time: false,
            record_count,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch,
            base_sequence,
        }
    }

    fn duplicate(base_offset: i64) -> Admission {
        Admission::Duplicate { base_offset, timestamp: 0 }
    }

    fn after(batches: &[(i16, i32, i32)]) -> Producers {
        let mut producers = Producers::default();
        for (at, (epoch, sequence, count)) in batches.iter().enumerate() {
            let header = header(*epoch, *sequence, *count);
            assert_eq!(producers.admit(&header), Ok(Admission::Append));
            producers.appended(&header, 100 + at as i64);
        }
        producers
    }

    #[test]
    fn the_table_holds() {
        let out_of_order = Err(ErrorCode::OutOfOrderSequenceNumber);
        let producers = after(&[(1, 0, 3), (1, 3, 2)]);
        assert_eq!(producers.admit(&header(0, 5, 1)), Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(producers.admit(&header(2, 0, 1)), Ok(Admission::Append));
        assert_eq!(producers.admit(&header(2, 5, 1)), out_of_order);
        assert_eq!(producers.admit(&header(1, 0, 3)), Ok(duplicate(100)));
        assert_eq!(producers.admit(&header(1, 3, 2)), Ok(duplicate(101)));
        assert_eq!(producers.admit(&header(1, 5, 1)), Ok(Admission::Append));
        assert_eq!(producers.admit(&header(1, 6, 1)), out_of_order);
        assert_eq!(producers.admit(&header(1, 3, 1)), out_of_order);
        assert_eq!(producers.admit(&header(1, -1, 1)), Err(ErrorCode::InvalidRecord));
    }

    #[test]
    fn five_batches_are_remembered() {
        let batches: Vec<(i16, i32, i32)> = (0..6).map(|sequence| (0, sequence, 1)).collect();
        let producers = after(&batches);
        assert_eq!(producers.admit(&header(0, 1, 1)), Ok(duplicate(101)));
        let forgotten = producers.admit(&header(0, 0, 1));
        assert_eq!(forgotten, Err(ErrorCode::OutOfOrderSequenceNumber));
    }

    #[test]
    fn sequences_wrap() {
        let producers = after(&[(0, i32::MAX - 1, 3)]);
        assert_eq!(producers.admit(&header(0, 1, 1)), Ok(Admission::Append));
    }

    #[test]
    fn producers_are_bounded() {
        let mut producers = Producers::default();
        for id in 0..=MAX_PRODUCERS as i64 {
            producers.appended(&BatchHeader { producer_id: id, ..header(0, 0, 1) }, id);
        }
        assert_eq!(producers.by_id.len(), MAX_PRODUCERS);
        assert!(!producers.by_id.contains_key(&0));
    }
}
