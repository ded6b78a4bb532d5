//! Splits what a socket delivers into frames: a size of 4 bytes, then as many bytes.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::mapping::{FIRST_STEP_BYTES, Mapping, Pages};
use crate::wire::Fatal;

/// Room for a read while no large frame is under way: many small requests fit into one read.
const READ_BYTES: usize = 8 * 1024;
/// A frame that finds no pages gets memory in steps of at most this, so that a client must send what
/// it announces before it is given more.
const MAX_STEP_BYTES: usize = 1024 * 1024;
/// A frame from this size on is received into pages of its own: fewer would not be worth the calls.
const MAP_FROM_BYTES: usize = FIRST_STEP_BYTES;
const SIZE_BYTES: usize = 4;

pub(crate) struct FrameBuffer {
    received: BytesMut,
    /// The frame that comes first, if it has pages of its own.
    mapped: Option<Mapping>,
    pages: Arc<Pages>,
    max_frame_bytes: usize,
}

/// Where the next bytes go.
pub(crate) enum Room<'a> {
    Pages(&'a mut Mapping),
    Buffer(&'a mut BytesMut),
}

impl FrameBuffer {
    pub(crate) fn new(max_frame_bytes: usize, pages: Arc<Pages>) -> Self {
        Self { received: BytesMut::new(), mapped: None, pages, max_frame_bytes }
    }

    /// Gives back all memory, if nothing has arrived of the next frame: idle clients hold none.
    pub(crate) fn rest(&mut self) {
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
    }

    /// What the buffer holds on to once there is room for the next read.
    pub(crate) fn next_capacity(&self) -> usize {
        let held = self.received.capacity();
        if self.maps_next().is_some() {
            return held + (2 * self.received.len()).max(FIRST_STEP_BYTES);
        }
        let grown = grown_capacity(&self.received).unwrap_or(held).max(READ_BYTES);
        match &self.mapped {
            Some(mapped) if mapped.is_full() => mapped.next_present() + grown,
            Some(mapped) => mapped.next_present() + held,
            None => grown,
        }
    }

    /// Bytes that have arrived and belong to no frame taken yet.
    pub(crate) fn len(&self) -> usize {
        self.mapped.as_ref().map_or(0, Mapping::filled) + self.received.len()
    }

    /// Where to read to next, with room in it.
    pub(crate) fn room(&mut self) -> Room<'_> {
        self.map_a_large_frame();
        match &mut self.mapped {
            Some(mapped) if !mapped.is_full() => Room::Pages(mapped),
            _ => Room::Buffer(room_in(&mut self.received)),
        }
    }

    /// Size of the large frame that the next read begins to put into pages, if one does.
    fn maps_next(&self) -> Option<usize> {
        let size = size(&self.received)? as usize;
        let whole = SIZE_BYTES + size;
        let arrives = self.mapped.is_none() && whole > self.received.len();
        (arrives && whole >= MAP_FROM_BYTES && size <= self.max_frame_bytes).then_some(whole)
    }

    /// Moves the beginning of a large frame to pages of exactly its size, which its batches may then
    /// keep without waste.
    fn map_a_large_frame(&mut self) {
        let Some(whole) = self.maps_next() else { return };
        // Without pages to be had it is read into a buffer that grows.
        if let Ok(mut mapped) = Mapping::take(&self.pages, whole) {
            mapped.extend(&self.received);
            self.received.clear();
            self.mapped = Some(mapped);
        }
    }

    /// The next whole frame, without its size.
    ///
    /// # Errors
    /// A frame that is negative or larger than allowed, before anything is reserved for it.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Fatal> {
        if self.mapped.is_some() {
            let whole = self.mapped.take_if(|mapped| mapped.is_full());
            return Ok(whole.map(|mapped| mapped.freeze().slice(SIZE_BYTES..)));
        }
        let Some(size) = size(&self.received) else { return Ok(None) };
        if size as usize > self.max_frame_bytes || size > i32::MAX as u32 {
            let length = i64::from(size as i32);
            return Err(Fatal::FrameTooLarge { length, limit: self.max_frame_bytes });
        }
        if self.received.len() < SIZE_BYTES + size as usize {
            return Ok(None);
        }
        self.received.advance(SIZE_BYTES);
        Ok(Some(self.received.split_to(size as usize).freeze()))
    }
}

/// The buffer with room in it. A frame too large for the usual one gets a larger one, step by step.
fn room_in(received: &mut BytesMut) -> &mut BytesMut {
    if let Some(capacity) = grown_capacity(received) {
        let mut larger = BytesMut::with_capacity(capacity);
        larger.extend_from_slice(received);
        *received = larger;
    } else if received.capacity() - received.len() < READ_BYTES / 2 && whole(received) <= READ_BYTES
    {
        // Gives back the memory of earlier frames, or takes new if somebody still uses it.
        received.reserve(READ_BYTES);
    }
    received
}

/// The size of the larger buffer that the rest of a large frame needs, if it needs one.
fn grown_capacity(received: &BytesMut) -> Option<usize> {
    let (whole, arrived) = (whole(received), received.len());
    let missing = whole.saturating_sub(arrived);
    let spare = received.capacity() - arrived;
    let grows = whole > READ_BYTES && spare < missing.min(MAX_STEP_BYTES);
    grows.then(|| arrived + missing.min(MAX_STEP_BYTES.max(arrived)))
}

/// Size of the next frame with its size field, as far as that is known.
fn whole(received: &BytesMut) -> usize {
    size(received).map_or(SIZE_BYTES, |size| SIZE_BYTES + size as usize)
}

fn size(received: &BytesMut) -> Option<u32> {
    let size = received.first_chunk::<SIZE_BYTES>()?;
    Some(u32::from_be_bytes(*size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads once, as much as there is room for; returns how much.
    fn read_from(buffer: &mut FrameBuffer, source: &mut &[u8]) -> usize {
        let held = buffer.next_capacity();
        let read = match buffer.room() {
            Room::Pages(mapped) => {
                let read = mapped.room().len().min(source.len());
                mapped.room()[..read].copy_from_slice(&source[..read]);
                mapped.advance(read);
                read
            }
            Room::Buffer(received) => {
                let read = (received.capacity() - received.len()).min(source.len());
                received.extend_from_slice(&source[..read]);
                read
            }
        };
        let present = buffer.mapped.as_ref().map_or(0, Mapping::present);
        assert!(present <= held, "{present} bytes of pages, announced {held}");
        *source = &source[read..];
        read
    }

    fn feed(buffer: &mut FrameBuffer, bytes: &[u8], at_a_time: usize) -> Vec<Bytes> {
        let mut frames = Vec::new();
        for mut piece in bytes.chunks(at_a_time) {
            while !piece.is_empty() {
                assert!(read_from(buffer, &mut piece) > 0, "there is always room");
                while let Some(frame) = buffer.next().unwrap() {
                    frames.push(frame);
                }
            }
        }
        frames
    }

    #[test]
    fn frames_come_out_however_the_bytes_arrive() {
        let sizes = [0, 1, 100, 9_000, 3, 65_532, 70_000, 1_048_572, 5, 1_500_000, 8];
        let mut stream = Vec::new();
        for size in sizes {
            stream.extend_from_slice(&(size as u32).to_be_bytes());
            stream.extend(std::iter::repeat_n(size as u8, size));
        }
        for at_a_time in [7, 4_096, stream.len()] {
            let mut buffer = FrameBuffer::new(4_000_000, Pages::new(1 << 20));
            let frames = feed(&mut buffer, &stream, at_a_time);
            assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), sizes);
            assert!(frames.iter().all(|frame| frame.iter().all(|byte| *byte == frame.len() as u8)));
            assert_eq!(buffer.len(), 0);
        }
    }

    #[test]
    fn what_is_read_ahead_waits_in_order() {
        let large = [&100_000u32.to_be_bytes()[..], &[1; 100_000]].concat();
        let small = [0, 0, 0, 1, 2];
        let stream = [&small[..], &large, &small, &large].concat();
        let mut buffer = FrameBuffer::new(4_000_000, Pages::new(1 << 20));
        let mut source = &stream[..];
        // As while a request waits: read, but take no frame.
        while buffer.len() < 70_000 {
            assert!(read_from(&mut buffer, &mut source) > 0);
        }
        let mut sizes = Vec::new();
        while sizes.len() < 4 {
            match buffer.next().unwrap() {
                Some(frame) => sizes.push(frame.len()),
                None => assert!(read_from(&mut buffer, &mut source) > 0),
            }
        }
        assert_eq!(sizes, [1, 100_000, 1, 100_000]);
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_before_it_has_memory() {
        for size in [1_001u32, 100_000, u32::MAX, 1 << 31] {
            let mut buffer = FrameBuffer::new(1_000, Pages::new(1 << 20));
            read_from(&mut buffer, &mut &size.to_be_bytes()[..]);
            assert!(buffer.next().is_err());
            assert!(buffer.received.capacity() <= 2 * READ_BYTES && buffer.mapped.is_none());
        }
    }

    #[test]
    fn an_announced_frame_gets_memory_only_as_it_arrives() {
        let mut buffer = FrameBuffer::new(128 << 20, Pages::new(1 << 20));
        read_from(&mut buffer, &mut &(100u32 << 20).to_be_bytes()[..]);
        assert_eq!(buffer.next().unwrap(), None);
        assert!(buffer.next_capacity() <= 2 * FIRST_STEP_BYTES);
        let Room::Pages(mapped) = buffer.room() else { panic!("it is large enough for pages") };
        assert_eq!(mapped.room().len(), FIRST_STEP_BYTES - SIZE_BYTES);
        assert!(buffer.next_capacity() <= 2 * FIRST_STEP_BYTES);
    }
}
