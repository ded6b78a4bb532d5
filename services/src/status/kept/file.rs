//! Ended orders in one file of this instance: appended, and read back one by one.
//!
//! ```text
//! length u32 │ CRC-32C u32 │ the order's events
//! ```
//! A snapshot says which of them count: a start cuts the file to those, and folds the others again. So the file needs
//! no index of its own, and what was written half is never read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use contract::topics::Step;

use super::super::domain::StoredOrder;
use super::place::Place;
use super::record;
use crate::kit::record::MAX_EVENT_BYTES;

const FILE: &str = "ended.orders";

/// Length and checksum.
const HEADER_BYTES: usize = 8;

/// Nearly every order is read at once.
const READ_BYTES: usize = 2048;

/// What can stand of one order: an event of each step, with its type, time and length.
const MAX_RECORD_BYTES: usize = Step::ALL.len() * (MAX_EVENT_BYTES + 32);

/// The file. One process writes it, as its instance's lock sees to.
#[derive(Debug)]
pub(in crate::status) struct PastFile {
    file: File,
    path: PathBuf,
    /// Where the next order goes.
    end: Mutex<u64>,
}

impl PastFile {
    /// Opens the file in `folder`, made if need be.
    ///
    /// # Errors
    /// What the file system says.
    pub(in crate::status) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let options =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).clone();
        let file = options.open(&path)?;
        let end = Mutex::new(file.metadata()?.len());
        Ok(Self { file, path, end })
    }

    pub(in crate::status) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file ends.
    pub(super) fn end(&self) -> u64 {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends orders; where each of them stands. After an error none of them does.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn append<'a>(
        &self,
        orders: impl Iterator<Item = &'a StoredOrder>,
    ) -> io::Result<Vec<Place>> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for order in orders {
            let start = bytes.len();
            bytes.extend_from_slice(&[0; HEADER_BYTES]);
            record::encode(order, &mut bytes);
            let (header, record) = bytes[start..].split_at_mut(HEADER_BYTES);
            let length = u32::try_from(record.len()).map_err(io::Error::other)?;
            header[..4].copy_from_slice(&length.to_le_bytes());
            header[4..].copy_from_slice(&crc32c::crc32c(record).to_le_bytes());
            places.push(Place::new(*end + start as u64, order.seen()));
        }
        self.file.write_all_at(&bytes, *end).inspect_err(|_| {
            // What was written lies beyond the end and is written over: cutting it off only makes room.
            let _ = self.file.set_len(*end);
        })?;
        *end += bytes.len() as u64;
        Ok(places)
    }

    /// What stands of the order at `place`.
    ///
    /// # Errors
    /// What the file system says, and damage.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; READ_BYTES];
        let read = self.read_at_most(&mut bytes, place.offset())?;
        let damaged = |what| {
            let (file, offset) = (self.path.display(), place.offset());
            io::Error::new(io::ErrorKind::InvalidData, format!("{file}: {what} at byte {offset}"))
        };
        let header = bytes[..read].first_chunk::<HEADER_BYTES>().copied();
        let header = header.ok_or_else(|| damaged("no order"))?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > MAX_RECORD_BYTES {
            return Err(damaged("no order"));
        }
        bytes.resize(HEADER_BYTES + length, 0);
        if bytes.len() > read {
            self.file.read_exact_at(&mut bytes[read..], place.offset() + read as u64)?;
        }
        let record = bytes.split_off(HEADER_BYTES);
        if crc32c::crc32c(&record).to_le_bytes() != header[4..] {
            return Err(damaged("a damaged order"));
        }
        Ok(record)
    }

    fn read_at_most(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(&mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Cuts off what comes after the order at `last`: everything, without one.
    ///
    /// # Errors
    /// What the file system says; damage; a file that ends before.
    pub(super) fn cut_after(&self, last: Option<Place>) -> io::Result<()> {
        let wanted = match last {
            Some(place) => place.offset() + (HEADER_BYTES + self.read(place)?.len()) as u64,
            None => 0,
        };
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.set_len(wanted)?;
        *end = wanted;
        Ok(())
    }

    /// Makes sure that a power cut takes nothing of what has been appended.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::domain::{Orders, event, sample_id};
    use super::super::record::append_canonical;
    use super::*;
    use contract::Timestamp;
    use contract::events::EventType;

    fn order(event_types: &[EventType], padding: usize) -> Orders {
        let mut orders = Orders::default();
        for event_type in event_types {
            let event = event(*event_type);
            let mut value = event.encode();
            value.extend(std::iter::repeat_n(b' ', padding));
            orders.fold(&event, "v1", Timestamp::default(), &value);
        }
        orders
    }

    #[test]
    fn what_is_appended_is_read_back_and_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let file = PastFile::open(folder.path()).unwrap();
        let small = order(&[EventType::OrderCreated], 0);
        let large = order(&[EventType::OrderCreated, EventType::InventoryConfirmed], 10_000);
        let [small, large] = [&small, &large].map(|orders| orders.get(sample_id()).unwrap());
        let places = file.append([small, large, small].into_iter()).unwrap();
        let encoded = |order: &StoredOrder| {
            let mut bytes = Vec::new();
            record::encode(order, &mut bytes);
            bytes
        };
        assert_eq!(file.read(places[1]).unwrap(), encoded(large));
        assert_eq!(record::decode(sample_id(), &encoded(large)).unwrap().len(), 2);

        file.cut_after(Some(places[1])).unwrap();
        assert!(file.read(places[2]).is_err(), "nothing stands there any more");
        let again = file.append([large].into_iter()).unwrap();
        assert_eq!(again[0].offset(), places[2].offset());
        drop(file);
        let file = PastFile::open(folder.path()).unwrap();
        assert_eq!(file.read(again[0]).unwrap(), encoded(large));
        file.cut_after(None).unwrap();
        assert_eq!(file.end(), 0);
        assert!(file.cut_after(Some(places[1])).is_err());
    }

    #[test]
    fn damage_is_told_with_file_and_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = PastFile::open(folder.path()).unwrap();
        let orders = order(&[EventType::OrderCreated], 0);
        let places = file.append(orders.get(sample_id()).into_iter()).unwrap();
        let mut bytes = std::fs::read(file.path()).unwrap();
        for (byte, what) in [(HEADER_BYTES + 20, "a damaged order"), (3, "no order")] {
            bytes[byte] ^= 0xff;
            std::fs::write(file.path(), &bytes).unwrap();
            let error = file.read(places[0]).unwrap_err().to_string();
            assert!(error.ends_with(&format!("ended.orders: {what} at byte 0")), "{error}");
        }
    }

    #[test]
    fn the_order_in_which_events_were_seen_is_no_difference() {
        let mut first = Vec::new();
        let types = [EventType::OrderCreated, EventType::InventoryConfirmed, EventType::Shipped];
        for turned in 0..types.len() {
            let mut seen = types;
            seen.rotate_left(turned);
            let orders = order(&seen, 0);
            let (mut bytes, mut canonical) = (Vec::new(), Vec::new());
            record::encode(orders.get_any(sample_id()).unwrap(), &mut bytes);
            append_canonical(&bytes, &mut canonical);
            assert_eq!(canonical.len(), bytes.len());
            if turned == 0 {
                first = canonical;
            } else {
                assert_eq!(canonical, first);
            }
        }
    }
}
