//! Where a log's bytes live. A small batch is copied into a block it shares with its neighbours,
//! since it would otherwise keep the whole read buffer of its connection alive; a large one stays
//! where the socket put it.

use bytes::{Bytes, BytesMut};

/// Frames of this size have a buffer of their own, of which their batches are the most part.
const SHARE_FROM_BYTES: usize = 16 * 1024;
const BLOCK_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Store {
    block: BytesMut,
}

impl Store {
    pub(crate) fn keep(&mut self, batch: &Bytes) -> Bytes {
        if batch.len() >= SHARE_FROM_BYTES {
            return batch.clone();
        }
        if self.block.capacity() < batch.len() {
            self.block = BytesMut::with_capacity(BLOCK_BYTES);
        }
        self.block.extend_from_slice(batch);
        self.block.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_are_copied_and_large_ones_shared() {
        let mut store = Store::default();
        let small = Bytes::from(vec![1; 100]);
        let kept: Vec<Bytes> = (0..2_000).map(|_| store.keep(&small)).collect();
        assert!(kept.iter().all(|bytes| *bytes == small && bytes.as_ptr() != small.as_ptr()));
        let large = Bytes::from(vec![2; SHARE_FROM_BYTES]);
        assert_eq!(store.keep(&large).as_ptr(), large.as_ptr());
    }
}
