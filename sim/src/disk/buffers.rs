//! Memory to read into, used again and again: fresh memory is first zeroed and then mapped page by page,
//! which costs more than reading what goes into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Reads below this cost little in fresh memory.
const POOL_FROM_BYTES: usize = 32 * 1024;
/// What consumers ask for at a time and partition, by default. A larger read has memory of its own.
const BUFFER_BYTES: usize = 1024 * 1024;
/// What is kept when nobody reads.
const MAX_IDLE_BUFFERS: usize = 8;

/// All buffers have the same size.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Buffers {
    fn idle(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `read` fill so many bytes.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn fill<E>(
        &self,
        length: usize,
        read: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        if !(POOL_FROM_BYTES..=BUFFER_BYTES).contains(&length) {
            let mut bytes = vec![0; length];
            read(&mut bytes)?;
            return Ok(Bytes::from(bytes));
        }
        let idle = self.idle().pop();
        let buffer = idle.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice());
        let mut lent = Lent { buffer, length, home: self.clone() };
        read(&mut lent.buffer[..length])?;
        Ok(Bytes::from_owner(lent))
    }
}

/// A buffer that goes home when the last who uses it has sent it.
struct Lent {
    buffer: Box<[u8]>,
    length: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut idle = self.home.idle();
        if idle.len() < MAX_IDLE_BUFFERS {
            idle.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, length: usize, byte: u8) -> Bytes {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(byte);
            Ok::<_, ()>(())
        };
        buffers.fill(length, fill).unwrap()
    }

    #[test]
    fn buffers_come_back_and_are_never_shared() {
        let buffers = Buffers::default();
        let lengths = [1, POOL_FROM_BYTES, 100_000, BUFFER_BYTES, BUFFER_BYTES + 1];
        for _ in 0..3 {
            let all: Vec<Bytes> =
                (0..).zip(lengths).map(|(byte, length)| filled(&buffers, length, byte)).collect();
            for ((byte, length), bytes) in (0..).zip(lengths).zip(&all) {
                assert_eq!(bytes.len(), length);
                assert!(bytes.iter().all(|found| *found == byte));
            }
            drop(all);
            assert_eq!(buffers.idle().len(), 3);
        }
        assert!(buffers.fill(100_000, |_| Err(())).is_err());
        let many: Vec<Bytes> = (0..20).map(|byte| filled(&buffers, 100_000, byte)).collect();
        assert!(buffers.idle().is_empty());
        drop(many);
        assert_eq!(buffers.idle().len(), MAX_IDLE_BUFFERS);
    }
}
