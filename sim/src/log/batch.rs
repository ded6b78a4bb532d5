//! Record batches (format version 2): their header is checked and read, their records stay bytes.

use bytes::{Bytes, BytesMut};

use crate::error::ErrorCode;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset (8), length (4) and partition leader epoch (4): outside the CRC, so ours to set.
pub(crate) const PATCHED_BYTES: usize = 16;

const LENGTH_COUNTS_FROM: usize = 12;
const CRC_COVERS_FROM: usize = 21;
const MAGIC: u8 = 2;
const COMPRESSION_MASK: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;

/// What the broker needs to know of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// Kafka's number of the compression; 0 is none.
    pub(crate) codec: i16,
    /// All records have the batch's largest timestamp.
    pub(crate) log_append_time: bool,
    pub(crate) record_count: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
}

impl BatchHeader {
    /// Checks a produced batch as far as it can be without decompressing, and reads its header.
    ///
    /// # Errors
    /// The code that Produce answers with.
    pub(crate) fn check(batch: &Bytes) -> Result<Self, ErrorCode> {
        let corrupt = ErrorCode::CorruptMessage;
        if batch.is_empty() {
            return Err(ErrorCode::InvalidRecord);
        }
        if batch.len() < HEADER_BYTES {
            return Err(corrupt);
        }
        if batch[16] != MAGIC {
            return Err(ErrorCode::UnsupportedForMessageFormat);
        }
        let length = i64::from(read_i32(batch, 8));
        let expected = (batch.len() - LENGTH_COUNTS_FROM) as i64;
        if length > expected {
            return Err(corrupt);
        }
        if length < expected {
            // Since version 3 a Produce request carries exactly one batch per partition.
            return Err(ErrorCode::InvalidRecord);
        }
        if read_i32(batch, 17) as u32 != crc32c::crc32c(&batch[CRC_COVERS_FROM..]) {
            return Err(corrupt);
        }
        let attributes = read_i16(batch, 21);
        let record_count = read_i32(batch, 57);
        if record_count < 1 || read_i32(batch, 23) != record_count - 1 {
            return Err(ErrorCode::InvalidRecord);
        }
        if attributes & CONTROL_BIT != 0 {
            return Err(ErrorCode::InvalidRecord);
        }
        if attributes & TRANSACTIONAL_BIT != 0 {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(Self::read(batch))
    }

    /// Reads the header of a batch that was checked when it was appended.
    pub(crate) fn read(batch: &Bytes) -> Self {
        Self {
            base_offset: read_i64(batch, 0),
            codec: read_i16(batch, 21) & COMPRESSION_MASK,
            log_append_time: read_i16(batch, 21) & LOG_APPEND_TIME_BIT != 0,
            record_count: read_i32(batch, 57),
            base_timestamp: read_i64(batch, 27),
            max_timestamp: read_i64(batch, 35),
            producer_id: read_i64(batch, 43),
            producer_epoch: read_i16(batch, 51),
            base_sequence: read_i32(batch, 53),
        }
    }
}

/// The batch with the broker's time in place of the producer's. The records stay what they are: a
/// bit says that the largest timestamp is that of all.
pub(crate) fn stamp(batch: &Bytes, wall_ms: i64) -> Bytes {
    let mut stamped = BytesMut::from(&batch[..]);
    let attributes = read_i16(batch, 21) | LOG_APPEND_TIME_BIT;
    stamped[21..23].copy_from_slice(&attributes.to_be_bytes());
    stamped[35..43].copy_from_slice(&wall_ms.to_be_bytes());
    let checksum = crc32c::crc32c(&stamped[CRC_COVERS_FROM..]);
    stamped[17..21].copy_from_slice(&checksum.to_be_bytes());
    stamped.freeze()
}

fn read_i16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn read_i32(bytes: &[u8], at: usize) -> i32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    i32::from_be_bytes(field)
}

fn read_i64(bytes: &[u8], at: usize) -> i64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(field)
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::BytesMut;

    use super::*;

    /// An uncompressed batch whose records have these timestamps and `value_bytes` of value each.
    pub(crate) fn batch(timestamps: &[i64], value_bytes: usize) -> Bytes {
        batch_from(timestamps, value_bytes, -1, -1, -1)
    }

    pub(crate) fn batch_from(
        timestamps: &[i64],
        value_bytes: usize,
        producer_id: i64,
        producer_epoch: i16,
        base_sequence: i32,
    ) -> Bytes {
        use kafka_protocol::records::{
            Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
        };
        let records: Vec<Record> = timestamps
            .iter()
            .enumerate()
            .map(|(at, timestamp)| Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id,
                producer_epoch,
                timestamp_type: TimestampType::Creation,
                offset: at as i64,
                sequence: base_sequence + at as i32,
                timestamp: *timestamp,
                key: None,
                value: Some(Bytes::from(vec![b'v'; value_bytes])),
                headers: Default::default(),
            })
            .collect();
        let mut encoded = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut encoded, &records, &options).unwrap();
        encoded.freeze()
    }

    fn altered(at: usize, byte: u8) -> Result<BatchHeader, ErrorCode> {
        let mut bytes = batch(&[5], 10).to_vec();
        bytes[at] = byte;
        BatchHeader::check(&Bytes::from(bytes))
    }

    #[test]
    fn a_sound_batch_is_read() {
        let header = BatchHeader::check(&batch(&[5, 9, 7], 10)).unwrap();
        assert_eq!((header.record_count, header.max_timestamp), (3, 9));
        assert_eq!((header.codec, header.log_append_time), (0, false));
    }

    #[test]
    fn a_stamped_batch_is_sound_and_carries_the_brokers_time() {
        let stamped = stamp(&batch(&[5, 9, 7], 10), 77);
        let header = BatchHeader::check(&stamped).unwrap();
        assert_eq!((header.max_timestamp, header.base_timestamp), (77, 5));
        assert!(header.log_append_time);
    }

    #[test]
    fn damage_is_found() {
        assert_eq!(altered(16, 1), Err(ErrorCode::UnsupportedForMessageFormat));
        assert_eq!(altered(11, 0xff), Err(ErrorCode::CorruptMessage));
        assert_eq!(altered(11, 1), Err(ErrorCode::InvalidRecord));
        assert_eq!(altered(HEADER_BYTES + 3, 0xff), Err(ErrorCode::CorruptMessage));
        assert!(altered(0, 9).is_ok(), "the base offset is the broker's to set");
        let short = batch(&[5], 10).slice(..HEADER_BYTES - 1);
        assert_eq!(BatchHeader::check(&short), Err(ErrorCode::CorruptMessage));
    }
}
