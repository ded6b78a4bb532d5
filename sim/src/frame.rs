//! Splits what a socket delivers into frames: a size of 4 bytes, then as many bytes.

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::Fatal;

/// Room for a read while no large frame is under way: many small requests fit into one read.
const READ_BYTES: usize = 8 * 1024;
/// A large frame gets memory in steps of at most this, so that a client must send what it announces
/// before it is given more.
const MAX_STEP_BYTES: usize = 1024 * 1024;
const SIZE_BYTES: usize = 4;

pub(crate) struct FrameBuffer {
    received: BytesMut,
    max_frame_bytes: usize,
}

impl FrameBuffer {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self { received: BytesMut::new(), max_frame_bytes }
    }

    /// Gives back all memory, if nothing has arrived of the next frame: idle clients hold none.
    pub(crate) fn rest(&mut self) {
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
    }

    /// What the buffer holds on to once there is room for the next read.
    pub(crate) fn next_capacity(&self) -> usize {
        self.grown_capacity().unwrap_or(self.received.capacity()).max(READ_BYTES)
    }

    /// Bytes that have arrived and belong to no frame taken yet.
    pub(crate) fn len(&self) -> usize {
        self.received.len()
    }

    /// The buffer to read into next, with room in it. A frame too large for the usual buffer gets
    /// one of exactly its size, which its batches may then keep without waste.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        if let Some(capacity) = self.grown_capacity() {
            let mut larger = BytesMut::with_capacity(capacity);
            larger.extend_from_slice(&self.received);
            self.received = larger;
        } else if self.received.capacity() - self.received.len() < READ_BYTES / 2
            && self.whole() <= READ_BYTES
        {
            // Gives back the memory of earlier frames, or takes new if somebody still uses it.
            self.received.reserve(READ_BYTES);
        }
        &mut self.received
    }

    /// The size of the larger buffer that the rest of a large frame needs, if it needs one.
    fn grown_capacity(&self) -> Option<usize> {
        let (whole, arrived) = (self.whole(), self.received.len());
        let missing = whole.saturating_sub(arrived);
        let spare = self.received.capacity() - arrived;
        let grows = whole > READ_BYTES && spare < missing.min(MAX_STEP_BYTES);
        grows.then(|| arrived + missing.min(MAX_STEP_BYTES.max(arrived)))
    }

    /// Size of the next frame with its size field, as far as that is known.
    fn whole(&self) -> usize {
        self.size().map_or(SIZE_BYTES, |size| SIZE_BYTES + size as usize)
    }

    fn size(&self) -> Option<u32> {
        let size = self.received.first_chunk::<SIZE_BYTES>()?;
        Some(u32::from_be_bytes(*size))
    }

    /// The next whole frame, without its size.
    ///
    /// # Errors
    /// A frame that is negative or larger than allowed, before anything is reserved for it.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Fatal> {
        let Some(size) = self.size() else { return Ok(None) };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(buffer: &mut FrameBuffer, mut bytes: &[u8], at_a_time: usize) -> Vec<Bytes> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let room = buffer.room();
            let take = at_a_time.min(room.capacity() - room.len()).min(bytes.len());
            assert!(take > 0, "there is always room");
            room.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            while let Some(frame) = buffer.next().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn frames_come_out_however_the_bytes_arrive() {
        let sizes = [0, 1, 100, 9_000, 3, 1_500_000, 8];
        let mut stream = Vec::new();
        for size in sizes {
            stream.extend_from_slice(&(size as u32).to_be_bytes());
            stream.extend(std::iter::repeat_n(size as u8, size));
        }
        for at_a_time in [7, 4_096, usize::MAX] {
            let mut buffer = FrameBuffer::new(4_000_000);
            let frames = feed(&mut buffer, &stream, at_a_time);
            assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), sizes);
            assert!(frames.iter().all(|frame| frame.iter().all(|byte| *byte == frame.len() as u8)));
            assert_eq!(buffer.len(), 0);
        }
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_before_it_has_memory() {
        for size in [1_001u32, u32::MAX, 1 << 31] {
            let mut buffer = FrameBuffer::new(1_000);
            buffer.room().extend_from_slice(&size.to_be_bytes());
            assert!(buffer.next().is_err());
            assert!(buffer.received.capacity() <= 2 * READ_BYTES);
        }
    }

    #[test]
    fn an_announced_frame_gets_memory_only_as_it_arrives() {
        let mut buffer = FrameBuffer::new(128 << 20);
        buffer.room().extend_from_slice(&(100u32 << 20).to_be_bytes());
        assert_eq!(buffer.next().unwrap(), None);
        assert!(buffer.room().capacity() <= 2 * MAX_STEP_BYTES);
    }
}
