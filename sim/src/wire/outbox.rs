//! Responses on their way out: small fields in one buffer, large record batches by reference.

use std::io::IoSlice;

use bytes::{BufMut, Bytes, BytesMut};

/// Batches below this are copied, since a copy is cheaper than another entry in a vectored write.
const SHARE_FROM_BYTES: usize = 4 * 1024;
/// What an idle connection's buffer may keep.
const KEEP_CAPACITY_BYTES: usize = 8 * 1024;

/// Collects whole response frames, to be written with as few system calls as possible.
pub(crate) struct Outbox {
    owned: Vec<u8>,
    /// Bytes to send by reference, each before the owned byte at its position.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
    /// The most that a response of any size should have.
    room: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { owned: Vec::new(), shared: Vec::new(), shared_len: 0, room: usize::MAX }
    }
}

/// Where a frame's size goes once its end is known.
#[must_use]
pub(crate) struct FrameStart {
    owned_at: usize,
    shared_before: usize,
    len_before: usize,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.owned.len() + self.shared_len
    }

    /// Asks for responses of at most this size, where their size is a matter of choice: memory for
    /// what clients do not take is bounded.
    pub(crate) fn limit_to(&mut self, room: usize) {
        self.room = room;
    }

    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Where the next frame starts.
    pub(crate) fn position(&self) -> FrameStart {
        FrameStart {
            owned_at: self.owned.len(),
            shared_before: self.shared.len(),
            len_before: self.len(),
        }
    }

    /// Starts a response frame with its header.
    pub(crate) fn begin(&mut self, correlation_id: i32, tagged_header: bool) -> FrameStart {
        let start = self.position();
        self.owned.put_i32(0);
        self.owned.put_i32(correlation_id);
        if tagged_header {
            self.owned.put_u8(0);
        }
        start
    }

    pub(crate) fn finish(&mut self, start: FrameStart) {
        let size = (self.len() - start.len_before - 4) as u32;
        self.owned[start.owned_at..start.owned_at + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// Drops what was written since `start`.
    pub(crate) fn abandon(&mut self, start: &FrameStart) {
        self.owned.truncate(start.owned_at);
        self.shared.truncate(start.shared_before);
        self.shared_len = self.shared.iter().map(|(_, bytes)| bytes.len()).sum();
    }

    /// The buffer for everything that is not a large batch.
    pub(crate) fn fields(&mut self) -> &mut Vec<u8> {
        &mut self.owned
    }

    /// Appends `bytes` from position `from` on: by copy if short, by reference if long.
    pub(crate) fn put_bytes_from(&mut self, bytes: &Bytes, from: usize) {
        if bytes.len() < SHARE_FROM_BYTES {
            self.owned.extend_from_slice(&bytes[from..]);
        } else {
            self.shared_len += bytes.len() - from;
            self.shared.push((self.owned.len(), bytes.slice(from..)));
        }
    }

    pub(crate) fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.owned.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.owned.push(value as u8);
    }

    /// Length of an array or of bytes: compact in flexible versions, 32 bits before.
    pub(crate) fn put_length(&mut self, length: usize, flexible: bool) {
        if flexible {
            self.put_unsigned_varint(length as u32 + 1);
        } else {
            self.owned.put_i32(length as i32);
        }
    }

    pub(crate) fn put_null_array(&mut self, flexible: bool) {
        if flexible { self.owned.put_u8(0) } else { self.owned.put_i32(-1) }
    }

    pub(crate) fn put_string(&mut self, text: &str, flexible: bool) {
        if flexible {
            self.put_unsigned_varint(text.len() as u32 + 1);
        } else {
            self.owned.put_i16(text.len() as i16);
        }
        self.owned.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn put_nullable_string(&mut self, text: Option<&str>, flexible: bool) {
        match text {
            Some(text) => self.put_string(text, flexible),
            None if flexible => self.owned.put_u8(0),
            None => self.owned.put_i16(-1),
        }
    }

    /// An empty list of tagged fields, in flexible versions only.
    pub(crate) fn put_tags(&mut self, flexible: bool) {
        if flexible {
            self.owned.put_u8(0);
        }
    }

    /// Fills `slices` with what comes after the first `skip` bytes; returns how many it filled.
    pub(crate) fn slices<'a>(&'a self, skip: usize, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = skip;
        let mut filled = 0;
        let mut owned_at = 0;
        let mut push = |piece: &'a [u8]| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            if skipped < piece.len() && filled < slices.len() {
                slices[filled] = IoSlice::new(&piece[skipped..]);
                filled += 1;
            }
        };
        for (at, bytes) in &self.shared {
            push(&self.owned[owned_at..*at]);
            push(bytes);
            owned_at = *at;
        }
        push(&self.owned[owned_at..]);
        filled
    }

    /// Takes out what was written since the outbox was this long, to be [appended](Self::append) later.
    pub(crate) fn split_off(&mut self, start: &FrameStart) -> Self {
        let owned = self.owned.split_off(start.owned_at);
        let shared = self.shared.split_off(start.shared_before);
        let shared_len = shared.iter().map(|(_, bytes)| bytes.len()).sum();
        self.shared_len -= shared_len;
        let shared = shared.into_iter().map(|(at, bytes)| (at - start.owned_at, bytes)).collect();
        Self { owned, shared, shared_len, room: self.room }
    }

    pub(crate) fn append(&mut self, other: Self) {
        let offset = self.owned.len();
        self.owned.extend_from_slice(&other.owned);
        self.shared.extend(other.shared.into_iter().map(|(at, bytes)| (at + offset, bytes)));
        self.shared_len += other.shared_len;
    }

    pub(crate) fn clear(&mut self) {
        self.owned.clear();
        self.owned.shrink_to(KEEP_CAPACITY_BYTES);
        self.shared.clear();
        self.shared_len = 0;
    }

    /// Everything in one piece, for the in-process handle.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        let mut owned_at = 0;
        for (at, bytes) in &self.shared {
            whole.extend_from_slice(&self.owned[owned_at..*at]);
            whole.extend_from_slice(bytes);
            owned_at = *at;
        }
        whole.extend_from_slice(&self.owned[owned_at..]);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox_with_large_batches() -> Outbox {
        let mut outbox = Outbox::default();
        for correlation_id in 1..=2 {
            let frame = outbox.begin(correlation_id, false);
            outbox.put_string("before", false);
            outbox.put_bytes_from(&Bytes::from(vec![7; SHARE_FROM_BYTES]), 16);
            outbox.put_bytes_from(&Bytes::from(vec![8; 10]), 0);
            outbox.put_bytes_from(&Bytes::from(vec![9; SHARE_FROM_BYTES + 1]), 0);
            outbox.finish(frame);
        }
        outbox
    }

    #[test]
    fn slices_resume_at_every_byte() {
        let outbox = outbox_with_large_batches();
        let whole = outbox.to_bytes();
        assert_eq!(whole.len(), outbox.len());
        for skip in (0..=whole.len()).step_by(13).chain([whole.len()]) {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = outbox.slices(skip, &mut slices);
            let sent: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(sent, whole[skip..]);
        }
    }

    #[test]
    fn frame_sizes_count_shared_bytes_and_abandoned_frames_leave_nothing() {
        let mut outbox = outbox_with_large_batches();
        let whole = outbox.to_bytes();
        let first = u32::from_be_bytes([whole[0], whole[1], whole[2], whole[3]]) as usize;
        assert_eq!((4 + first) * 2, whole.len());
        let frame = outbox.begin(3, true);
        outbox.put_bytes_from(&Bytes::from(vec![1; SHARE_FROM_BYTES]), 0);
        outbox.abandon(&frame);
        assert_eq!(outbox.to_bytes(), whole);
    }

    #[test]
    fn what_is_held_back_comes_out_as_it_was_written() {
        let mut outbox = outbox_with_large_batches();
        let before = outbox.to_bytes();
        let start = outbox.position();
        outbox.append(outbox_with_large_batches());
        let held = outbox.split_off(&start);
        assert_eq!((outbox.to_bytes(), held.to_bytes()), (before.clone(), before.clone()));
        outbox.append(held);
        assert_eq!(outbox.to_bytes(), [&before[..], &before].concat());
        assert_eq!(outbox.len(), 2 * before.len());
    }
}
