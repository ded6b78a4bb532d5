//! A snapshot as bytes.
//!
//! ```text
//! magic, version │ service, unit, partitions, time │ offsets and anchors │ entries … │ count, CRC-32C
//! ```
//! Numbers are little-endian. An entry is an order's id, the length of what stands of it (7 bits a byte,
//! low ones first), and that. The CRC covers everything before it.

use std::io::{self, Write};

use contract::ids::OrderId;
use contract::topics::Topic;
use uuid::Uuid;

use super::cut::{Anchor, Cut, Mark};
use super::state::{Content, Unit};

const MAGIC: &[u8; 8] = b"DBSNAPSH";

/// Of this format and of every state's entries: a file of another version is not read.
const VERSION: u16 = 1;

/// Entries gather before they are written and summed.
const BUFFER_BYTES: usize = 64 * 1024;

/// Number of orders and checksum.
const TRAILER_BYTES: usize = 8 + 4;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) service: String,
    pub(crate) unit: Unit,
    /// Of each topic: with another number orders lie elsewhere.
    pub(crate) partitions: i32,
    /// Microseconds since 1970.
    pub(crate) written_at_us: i64,
    pub(crate) cut: Cut,
}

/// Why bytes are no snapshot that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("it is no snapshot")]
    Magic,
    #[error("it has format {0}, and this version reads {VERSION}")]
    Version(u16),
    #[error("it is damaged: its checksum does not match")]
    Checksum,
    #[error("it ends too early, or says more than it may")]
    Malformed,
}

/// Writes a snapshot; how many orders it holds.
///
/// # Errors
/// What `out` says.
pub(crate) fn write(header: &Header, content: &dyn Content, out: impl Write) -> io::Result<u64> {
    let mut out =
        Summing { out, buffer: Vec::with_capacity(BUFFER_BYTES * 2), crc: 0, failed: None };
    encode_header(header, &mut out.buffer);
    let mut orders = 0_u64;
    content.keep(&mut |order, entry| {
        orders += 1;
        out.buffer.extend_from_slice(order.0.as_bytes());
        put_length(entry.len(), &mut out.buffer);
        out.buffer.extend_from_slice(entry);
        out.flush_when_full();
    })?;
    out.buffer.extend_from_slice(&orders.to_le_bytes());
    out.finish()?;
    Ok(orders)
}

/// Bytes on their way out, and the checksum of those that have left.
struct Summing<W> {
    out: W,
    buffer: Vec<u8>,
    crc: u32,
    failed: Option<io::Error>,
}

impl<W: Write> Summing<W> {
    fn flush_when_full(&mut self) {
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.crc = crc32c::crc32c_append(self.crc, &self.buffer);
        if self.failed.is_none() {
            self.failed = self.out.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush();
        match self.failed {
            Some(error) => Err(error),
            None => self.out.write_all(&self.crc.to_le_bytes()),
        }
    }
}

fn encode_header(header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    put_length(header.service.len(), out);
    out.extend_from_slice(header.service.as_bytes());
    let unit = match header.unit {
        Unit::Whole => -1,
        Unit::Partition(partition) => partition,
    };
    out.extend_from_slice(&unit.to_le_bytes());
    out.extend_from_slice(&header.partitions.to_le_bytes());
    out.extend_from_slice(&header.written_at_us.to_le_bytes());
    put_length(header.cut.len(), out);
    for ((topic, partition), mark) in &header.cut {
        out.push(*topic as u8);
        out.extend_from_slice(&partition.to_le_bytes());
        out.extend_from_slice(&mark.next_offset.to_le_bytes());
        out.push(u8::from(mark.anchor.is_some()));
        if let Some(anchor) = mark.anchor {
            out.extend_from_slice(&anchor.offset.to_le_bytes());
            out.extend_from_slice(&anchor.timestamp_us.to_le_bytes());
            out.extend_from_slice(&anchor.crc.to_le_bytes());
        }
    }
}

pub(crate) fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
}

/// A snapshot that has been read and checked.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    pub(crate) orders: u64,
    bytes: Vec<u8>,
    entries: std::ops::Range<usize>,
}

impl Snapshot {
    /// Checks `bytes`, entries included.
    ///
    /// # Errors
    /// [`FormatError`].
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, FormatError> {
        let mut reader = Reader(&bytes);
        if reader.take(MAGIC.len()) != Some(MAGIC) {
            return Err(FormatError::Magic);
        }
        let version = u16::from_le_bytes(reader.array().ok_or(FormatError::Malformed)?);
        if version != VERSION {
            return Err(FormatError::Version(version));
        }
        let end = bytes.len().checked_sub(4).ok_or(FormatError::Malformed)?;
        if bytes[end..] != crc32c::crc32c(&bytes[..end]).to_le_bytes() {
            return Err(FormatError::Checksum);
        }
        let header = decode_header(&mut reader).ok_or(FormatError::Malformed)?;
        let start = bytes.len() - reader.0.len();
        let end = bytes.len().checked_sub(TRAILER_BYTES).ok_or(FormatError::Malformed)?;
        let entries = bytes.get(start..end).ok_or(FormatError::Malformed)?;
        let count = bytes[end..end + 8].try_into().map_err(|_| FormatError::Malformed)?;
        let orders = u64::from_le_bytes(count);
        let mut found = 0;
        let mut reader = Reader(entries);
        while !reader.0.is_empty() {
            reader.entry().ok_or(FormatError::Malformed)?;
            found += 1;
        }
        if found != orders {
            return Err(FormatError::Malformed);
        }
        Ok(Self { header, orders, entries: start..end, bytes })
    }

    /// Every order with what stands of it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (OrderId, &[u8])> {
        let mut reader = Reader(&self.bytes[self.entries.clone()]);
        std::iter::from_fn(move || reader.entry())
    }

    pub(crate) const fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn decode_header(reader: &mut Reader<'_>) -> Option<Header> {
    let length = reader.length()?;
    let service = String::from_utf8(reader.take(length)?.to_vec()).ok()?;
    let unit = match i32::from_le_bytes(reader.array()?) {
        -1 => Unit::Whole,
        partition => Unit::Partition(partition),
    };
    let partitions = i32::from_le_bytes(reader.array()?);
    let written_at_us = i64::from_le_bytes(reader.array()?);
    let mut cut = Cut::new();
    for _ in 0..reader.length()? {
        let topic = Topic::ALL.get(usize::from(reader.byte()?)).copied()?;
        let partition = i32::from_le_bytes(reader.array()?);
        let next_offset = i64::from_le_bytes(reader.array()?);
        let anchor = match reader.byte()? {
            0 => None,
            _ => Some(Anchor {
                offset: i64::from_le_bytes(reader.array()?),
                timestamp_us: i64::from_le_bytes(reader.array()?),
                crc: u32::from_le_bytes(reader.array()?),
            }),
        };
        cut.insert((topic, partition), Mark { next_offset, anchor });
    }
    Some(Header { service, unit, partitions, written_at_us, cut })
}

/// Takes bytes from the front, or nothing when there are not enough.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(length);
            }
            shift += 7;
        }
    }

    fn entry(&mut self) -> Option<(OrderId, &'a [u8])> {
        let order = OrderId(Uuid::from_bytes(self.array()?));
        let length = self.length()?;
        Some((order, self.take(length)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    struct Plain(BTreeMap<OrderId, Vec<u8>>);

    impl Content for Plain {
        fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
            self.0.iter().for_each(|(order, entry)| each(*order, entry));
        }

        fn entry(&self, order: OrderId, out: &mut Vec<u8>) {
            out.extend(self.0.get(&order).into_iter().flatten());
        }
    }

    fn header() -> Header {
        let anchor = Some(Anchor { offset: 6, timestamp_us: -5, crc: 77 });
        let cut = Cut::from([
            ((Topic::Payment, 3), Mark { next_offset: 9, anchor }),
            ((Topic::Shipping, 3), Mark::default()),
        ]);
        let (service, unit) = ("shipping".to_owned(), Unit::Partition(3));
        Header { service, unit, partitions: 4, written_at_us: 1_750_000_000_000_000, cut }
    }

    fn written(entries: &BTreeMap<OrderId, Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let orders = write(&header(), &Plain(entries.clone()), &mut bytes).unwrap();
        assert_eq!(orders, entries.len() as u64);
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_that_was_changed(
            entries in prop::collection::btree_map(
                any::<u128>().prop_map(|id| OrderId(Uuid::from_u128(id))),
                prop::collection::vec(any::<u8>(), 0..300),
                0..40,
            ),
            place in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let bytes = written(&entries);
            let snapshot = Snapshot::parse(bytes.clone()).unwrap();
            prop_assert_eq!(&snapshot.header, &header());
            let read = snapshot.entries().map(|(order, entry)| (order, entry.to_vec())).collect();
            prop_assert_eq!(&entries, &read);

            let mut changed = bytes.clone();
            changed[place.index(bytes.len())] ^= flip;
            prop_assert!(Snapshot::parse(changed).is_err());
            prop_assert!(Snapshot::parse(bytes[..place.index(bytes.len())].to_vec()).is_err());
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = written(&BTreeMap::new());
        bytes[8] = 9;
        assert_eq!(Snapshot::parse(bytes).unwrap_err(), FormatError::Version(9));
    }

    #[test]
    fn a_length_that_overflows_is_refused() {
        assert_eq!(Reader(&[0xff; 12]).length(), None);
        let mut bytes = Vec::new();
        put_length(1_000_000, &mut bytes);
        assert_eq!(Reader(&bytes).length(), Some(1_000_000));
    }
}
