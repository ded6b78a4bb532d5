//! What a piped message carries: who sent it, which it is, and when it was due.

use crate::flow::params::SMALLEST_MESSAGE;

const HEADER_BYTES: usize = SMALLEST_MESSAGE as usize;

/// The beginning of a message's value, big-endian; padding follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the run and the shard, so that messages of other runs are not taken for ours.
    pub(super) run_id: u64,
    pub(super) shard: u32,
    pub(super) partition: u32,
    /// Within its partition, without gaps.
    pub(super) sequence: u64,
    /// The intended start of its iteration, in nanoseconds since the flow's epoch.
    pub(super) due_nanos: u64,
}

impl Header {
    /// A value of `size` bytes, of which at least the header's are written.
    pub(super) fn encode(&self, size: usize) -> Vec<u8> {
        let mut value = Vec::with_capacity(size.max(HEADER_BYTES));
        value.extend_from_slice(&self.run_id.to_be_bytes());
        value.extend_from_slice(&self.shard.to_be_bytes());
        value.extend_from_slice(&self.partition.to_be_bytes());
        value.extend_from_slice(&self.sequence.to_be_bytes());
        value.extend_from_slice(&self.due_nanos.to_be_bytes());
        value.resize(size.max(HEADER_BYTES), b'.');
        value
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (run_id, rest) = value.split_first_chunk()?;
        let (shard, rest) = rest.split_first_chunk()?;
        let (partition, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let due_nanos = rest.first_chunk()?;
        Some(Self {
            run_id: u64::from_be_bytes(*run_id),
            shard: u32::from_be_bytes(*shard),
            partition: u32::from_be_bytes(*partition),
            sequence: u64::from_be_bytes(*sequence),
            due_nanos: u64::from_be_bytes(*due_nanos),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_and_short_values_are_none() {
        let header = Header { run_id: 1, shard: 2, partition: 3, sequence: 4, due_nanos: 5 };
        let value = header.encode(300);
        assert_eq!(value.len(), 300);
        assert_eq!(Header::decode(&value), Some(header));
        assert_eq!(header.encode(0).len(), HEADER_BYTES);
        assert_eq!(Header::decode(&value[..HEADER_BYTES - 1]), None);
    }
}
