//! Records inside a batch, read where the protocol cannot be answered without: looking up a
//! timestamp, and checking what a topic demands of every record. Compressed batches are inflated
//! as a stream, of which no more than a buffer is held, and only up to a limit.

use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;

use bytes::Bytes;

use super::batch::{BatchHeader, HEADER_BYTES};

/// The most that is inflated of one batch: sixteen times what a batch may have by default. What lies
/// behind is not looked at.
const MAX_INFLATED_BYTES: u64 = 16 * 1024 * 1024;
/// The largest window that a zstd frame may ask memory for, as a power of two.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;
/// How the snappy library for Java begins a stream of blocks; others send one bare block.
const SNAPPY_STREAM: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_STREAM_HEADER_BYTES: usize = 16;

/// What is looked at of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) offset_delta: i64,
    pub(crate) timestamp: i64,
    pub(crate) has_key: bool,
}

/// The records of a batch, in order, until `look` has seen enough. Returns whether it has.
///
/// # Errors
/// Records that cannot be read: damaged, or beyond the limit.
pub(crate) fn look_at_records(
    batch: &Bytes,
    mut look: impl FnMut(Glance) -> ControlFlow<()>,
) -> io::Result<bool> {
    let header = BatchHeader::read(batch);
    let records = &batch[HEADER_BYTES.min(batch.len())..];
    let mut reader = BufReader::new(inflate(header.codec, records)?.take(MAX_INFLATED_BYTES));
    for _ in 0..header.record_count {
        let length = length(varlong(&mut reader)?)?;
        let mut record = reader.by_ref().take(length);
        let mut attributes = [0];
        record.read_exact(&mut attributes)?;
        let timestamp_delta = varlong(&mut record)?;
        let offset_delta = varlong(&mut record)?;
        let has_key = varlong(&mut record)? >= 0;
        let timestamp = if header.log_append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(timestamp_delta)
        };
        if look(Glance { offset_delta, timestamp, has_key }).is_break() {
            return Ok(true);
        }
        let left = record.limit();
        if io::copy(&mut record, &mut io::sink())? != left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(false)
}

fn length(length: i64) -> io::Result<u64> {
    u64::try_from(length).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A zigzag varint of up to 64 bits.
fn varlong(reader: &mut impl Read) -> io::Result<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte[0] & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn inflate(codec: i16, records: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    Ok(match codec {
        0 => Box::new(records),
        1 => Box::new(flate2::read::MultiGzDecoder::new(records)),
        2 if records.starts_with(SNAPPY_STREAM) => {
            let blocks = records.get(SNAPPY_STREAM_HEADER_BYTES..).unwrap_or_default();
            Box::new(SnappyBlocks { blocks, block: io::Cursor::default() })
        }
        2 => Box::new(io::Cursor::new(unpack_snappy(records)?)),
        3 => Box::new(lz4::Decoder::new(records)?),
        4 => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(records)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}

fn unpack_snappy(block: &[u8]) -> io::Result<Vec<u8>> {
    if snap::raw::decompress_len(block)? as u64 > MAX_INFLATED_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(snap::raw::Decoder::new().decompress_vec(block)?)
}

/// Blocks of snappy, each behind its length of four bytes.
struct SnappyBlocks<'a> {
    blocks: &'a [u8],
    block: io::Cursor<Vec<u8>>,
}

impl Read for SnappyBlocks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some((size, rest)) = self.blocks.split_first_chunk::<4>() else { return Ok(0) };
            let (block, rest) = rest
                .split_at_checked(u32::from_be_bytes(*size) as usize)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            self.blocks = rest;
            self.block = io::Cursor::new(unpack_snappy(block)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::batch::tests::batch;
    use super::*;

    /// The batch with its records compressed; the checksum is not looked at here.
    fn packed(plain: &Bytes, codec: u8, records: &[u8]) -> Bytes {
        let mut packed = plain[..HEADER_BYTES].to_vec();
        packed[22] |= codec;
        packed.extend_from_slice(records);
        Bytes::from(packed)
    }

    fn glances(batch: &Bytes) -> io::Result<Vec<(i64, i64)>> {
        let mut seen = Vec::new();
        look_at_records(batch, |record| {
            seen.push((record.offset_delta, record.timestamp));
            ControlFlow::Continue(())
        })?;
        Ok(seen)
    }

    /// The same records in every way that producers compress them.
    fn in_every_codec(plain: &Bytes) -> Vec<(&'static str, Bytes)> {
        let records = &plain[HEADER_BYTES..];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(records).unwrap();
        let bare = snap::raw::Encoder::new().compress_vec(records).unwrap();
        let (first, second) = records.split_at(records.len() / 2);
        let mut stream = [SNAPPY_STREAM, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for half in [first, second] {
            let block = snap::raw::Encoder::new().compress_vec(half).unwrap();
            stream.extend_from_slice(&(block.len() as u32).to_be_bytes());
            stream.extend_from_slice(&block);
        }
        let mut lz4 = lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
        lz4.write_all(records).unwrap();
        let (lz4, finished) = lz4.finish();
        finished.unwrap();
        vec![
            ("none", plain.clone()),
            ("gzip", packed(plain, 1, &gzip.finish().unwrap())),
            ("snappy", packed(plain, 2, &bare)),
            ("snappy stream", packed(plain, 2, &stream)),
            ("lz4", packed(plain, 3, &lz4)),
            ("zstd", packed(plain, 4, &zstd::encode_all(records, 3).unwrap())),
        ]
    }

    #[test]
    fn records_are_read_in_every_codec() {
        let plain = batch(&[5, 9, 7], 10_000);
        for (codec, batch) in in_every_codec(&plain) {
            assert_eq!(glances(&batch).unwrap(), [(0, 5), (1, 9), (2, 7)], "{codec}");
        }
    }

    #[test]
    fn damage_is_an_error_at_every_length_and_never_a_panic() {
        let plain = batch(&[5, 9, 7], 100);
        for (codec, batch) in in_every_codec(&plain) {
            for length in HEADER_BYTES..batch.len() {
                let read = glances(&batch.slice(..length));
                assert!(read.is_err() || length + 16 > batch.len(), "{codec} cut at {length}");
            }
            let mut odd = batch.to_vec();
            for at in HEADER_BYTES..batch.len() {
                odd[at] ^= 0xff;
                let _ = glances(&Bytes::copy_from_slice(&odd));
            }
        }
    }

    #[test]
    fn a_batch_that_inflates_without_end_is_given_up() {
        let plain = batch(&[5, 9], 20 << 20);
        for (codec, batch) in in_every_codec(&plain) {
            assert!(glances(&batch).is_err(), "{codec}");
            let mut first = None;
            let enough = look_at_records(&batch, |record| {
                first = Some(record.timestamp);
                ControlFlow::Break(())
            });
            assert!(codec.starts_with("snappy") || enough.unwrap() && first == Some(5), "{codec}");
        }
    }

    #[test]
    fn varints_read_both_ends_of_their_range() {
        let smallest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varlong(&mut &smallest[..]).unwrap(), i64::MIN);
        assert_eq!(varlong(&mut &[0x03][..]).unwrap(), -2);
        assert!(varlong(&mut &[0xff; 10][..]).is_err());
    }

    #[test]
    fn keys_are_seen() {
        let batch = batch(&[5], 10);
        let mut keys = Vec::new();
        look_at_records(&batch, |record| {
            keys.push(record.has_key);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(keys, [false]);
    }
}
