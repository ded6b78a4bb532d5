//! Memory for large frames, straight from the kernel. Their batches stay where the socket put them, so what a broker
//! holds is touched here for the first time, and that was half of what it cost to receive a message: a
//! trap for each page of 4 KiB. So many pages are asked for in one call, and those of deleted records
//! are kept for a while for the next ones.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use memmap2::{Advice, MmapMut, MmapOptions};
use tokio::sync::Notify;

/// Pages come in steps: as many as have arrived, but at least these. So a client must send before it is given more.
pub(crate) const FIRST_STEP_BYTES: usize = 64 * 1024;
/// Pages that nobody uses are given back after one to two of these.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// A frame takes pages that are too many by up to this share: those are held in vain.
const WASTE_SHARE: usize = 16;
/// Addresses, not pages, are taken in multiples of this: frames of about one size can follow each other.
const ROUND_BYTES: usize = 16 * 1024;

/// Pages that are in use by nobody.
#[derive(Debug)]
pub(crate) struct Pages {
    max_kept_bytes: usize,
    kept: Mutex<Kept>,
    /// There is something to give back later.
    some_kept: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    by_size: BTreeMap<usize, Vec<Spare>>,
    bytes: usize,
}

#[derive(Debug)]
struct Spare {
    pages: MmapMut,
    /// It was here when the others were last looked through.
    old: bool,
}

impl Pages {
    /// Keeps up to `max_kept_bytes` of them.
    pub(crate) fn new(max_kept_bytes: usize) -> Arc<Self> {
        let (kept, some_kept) = (Mutex::default(), Notify::new());
        Arc::new(Self { max_kept_bytes, kept, some_kept })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Between two operations it is always consistent.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, pages: MmapMut) {
        let mut kept = self.kept();
        if kept.bytes + pages.len() <= self.max_kept_bytes {
            kept.bytes += pages.len();
            kept.by_size.entry(pages.len()).or_default().push(Spare { pages, old: false });
            self.some_kept.notify_one();
        }
    }

    /// Gives pages back to the kernel that nobody has wanted for a while; runs as long as the broker does.
    pub(crate) async fn run_return(&self) {
        loop {
            self.some_kept.notified().await;
            while self.kept().bytes > 0 {
                tokio::time::sleep(KEPT_FOR).await;
                self.return_old();
            }
        }
    }

    fn return_old(&self) {
        let mut kept = self.kept();
        let mut bytes = 0;
        kept.by_size.retain(|size, spares| {
            spares.retain_mut(|spare| !std::mem::replace(&mut spare.old, true));
            bytes += size * spares.len();
            !spares.is_empty()
        });
        kept.bytes = bytes;
    }
}

impl Kept {
    fn take(&mut self, size: usize) -> Option<MmapMut> {
        let most = (size + size / WASTE_SHARE).max(size.next_multiple_of(ROUND_BYTES));
        let (&found, spares) = self.by_size.range_mut(size..=most).next()?;
        let spare = spares.pop()?;
        if spares.is_empty() {
            self.by_size.remove(&found);
        }
        self.bytes -= found;
        Some(spare.pages)
    }
}

/// A frame that is being received.
#[derive(Debug)]
pub(crate) struct Mapping {
    pages: MmapMut,
    from: Arc<Pages>,
    size: usize,
    filled: usize,
    /// Up to here there are pages.
    present: usize,
}

impl Mapping {
    /// Room for `size` bytes.
    pub(crate) fn take(from: &Arc<Pages>, size: usize) -> io::Result<Self> {
        let spare = from.kept().take(size);
        let (pages, present) = match spare {
            Some(pages) => (pages, size),
            None => {
                let rounded = size.next_multiple_of(ROUND_BYTES);
                (MmapOptions::new().len(rounded).no_reserve_swap().map_anon()?, 0)
            }
        };
        Ok(Self { pages, from: from.clone(), size, filled: 0, present })
    }

    /// Bytes that it holds.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.size
    }

    /// The pages that it has once there is room for the next bytes.
    pub(crate) fn next_present(&self) -> usize {
        self.present + if self.filled == self.present { self.step() } else { 0 }
    }

    #[cfg(test)]
    pub(crate) fn present(&self) -> usize {
        self.present
    }

    fn step(&self) -> usize {
        self.present.max(FIRST_STEP_BYTES).min(self.size - self.present)
    }

    /// Where the next bytes go: not all of it, so that memory follows what has arrived.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.filled == self.present {
            let step = self.step();
            // A kernel that cannot (before 5.14) brings each page when it is touched.
            let _ = self.pages.advise_range(Advice::PopulateWrite, self.present, step);
            self.present += step;
        }
        &mut self.pages[self.filled..self.present]
    }

    /// Counts bytes that were put into the room.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.present);
    }

    /// Copies as much of `bytes` as there is room for in all.
    pub(crate) fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_full() {
            let room = self.room();
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
            self.advance(length);
            bytes = &bytes[length..];
        }
    }

    /// Its bytes; the pages are free when nobody shares them any more.
    pub(crate) fn freeze(self) -> Bytes {
        let borrowed = Borrowed { pages: Some(self.pages), from: self.from };
        Bytes::from_owner(borrowed).slice(..self.filled)
    }
}

/// Pages on loan: they go back when it is dropped.
#[derive(Debug)]
struct Borrowed {
    pages: Option<MmapMut>,
    from: Arc<Pages>,
}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        self.pages.as_deref().unwrap_or_default()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(pages) = self.pages.take() {
            self.from.give_back(pages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a multiple of what addresses come in.
    const SIZE: usize = 20 * ROUND_BYTES - 5_000;
    const ROUNDED: usize = 20 * ROUND_BYTES;
    const MAX_KEPT_BYTES: usize = 64 * ROUNDED;

    fn frame(from: &Arc<Pages>, size: usize, byte: u8) -> Bytes {
        let mut mapping = Mapping::take(from, size).unwrap();
        mapping.extend(&vec![byte; size]);
        assert!(mapping.is_full());
        mapping.freeze()
    }

    #[test]
    fn pages_come_as_bytes_arrive() {
        let mut mapping = Mapping::take(&Pages::new(0), 100 << 20).unwrap();
        assert_eq!(mapping.room().len(), FIRST_STEP_BYTES);
        mapping.advance(1_000);
        assert_eq!(mapping.room().len(), FIRST_STEP_BYTES - 1_000);
        mapping.advance(FIRST_STEP_BYTES - 1_000);
        assert_eq!(mapping.room().len(), FIRST_STEP_BYTES);
        mapping.advance(FIRST_STEP_BYTES);
        assert_eq!(mapping.room().len(), 2 * FIRST_STEP_BYTES);
    }

    #[test]
    fn pages_that_nobody_shares_serve_the_next_frame_of_about_their_size() {
        let pages = Pages::new(MAX_KEPT_BYTES);
        let first = frame(&pages, SIZE, 1);
        let shared = first.slice(10..20);
        let at = first.as_ptr();
        drop(first);
        let second = frame(&pages, SIZE - 100, 2);
        assert_ne!(second.as_ptr(), at, "a slice still shares them");
        assert_eq!(shared[..], [1; 10]);
        drop(shared);
        let third = frame(&pages, SIZE - SIZE / 10, 3);
        assert_ne!(third.as_ptr(), at, "too many would be held in vain");
        let fourth = frame(&pages, SIZE + 200, 4);
        assert_eq!(fourth.as_ptr(), at);
        assert_eq!(fourth, vec![4; SIZE + 200]);
        assert_eq!(second, vec![2; SIZE - 100]);
        assert_eq!(pages.kept().bytes, 0);
    }

    #[test]
    fn spare_pages_are_bounded_and_go_when_they_are_not_wanted() {
        let pages = Pages::new(MAX_KEPT_BYTES);
        drop([frame(&pages, SIZE, 1), frame(&pages, SIZE, 1), frame(&pages, 2 * ROUNDED, 1)]);
        assert_eq!(pages.kept().bytes, 4 * ROUNDED);
        pages.return_old();
        drop(frame(&pages, SIZE, 2));
        pages.return_old();
        assert_eq!(pages.kept().bytes, ROUNDED, "the one that was used in between");
        pages.return_old();
        assert_eq!(pages.kept().bytes, 0);
        pages.kept().bytes = MAX_KEPT_BYTES - ROUNDED;
        drop([frame(&pages, SIZE, 1), frame(&pages, SIZE, 1)]);
        assert_eq!(pages.kept().bytes, MAX_KEPT_BYTES);
    }
}
