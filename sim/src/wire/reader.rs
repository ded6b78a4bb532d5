//! Reads a request frame field by field; every length is checked against the bytes that are left.

use bytes::Bytes;

use super::Fatal;

/// A cursor over one frame. Strings borrow from it, byte fields share its memory.
pub(crate) struct Reader<'a> {
    frame: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(frame: &'a Bytes) -> Self {
        Self { frame, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.frame.len() - self.at
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fatal> {
        if length > self.remaining() {
            return Err(Fatal::Malformed("a field is longer than its frame"));
        }
        let field = &self.frame[self.at..self.at + length];
        self.at += length;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fatal> {
        let mut field = [0; N];
        field.copy_from_slice(self.take(N)?);
        Ok(field)
    }

    pub(crate) fn skip(&mut self, length: usize) -> Result<(), Fatal> {
        self.take(length).map(|_| ())
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Fatal> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Fatal> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fatal> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Fatal> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, Fatal> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fatal::Malformed("a varint is longer than 32 bits"))
    }

    /// Length of a string: compact in flexible versions, 16 bits before. `None` is null.
    pub(crate) fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, Fatal> {
        if flexible {
            return Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        match self.i16()? {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .map_err(|_| Fatal::Malformed("a string length is negative")),
        }
    }

    /// Length of bytes or of an array: compact in flexible versions, 32 bits before.
    pub(crate) fn length(&mut self, flexible: bool) -> Result<Option<usize>, Fatal> {
        if flexible {
            return Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        match self.i32()? {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .map_err(|_| Fatal::Malformed("a length is negative")),
        }
    }

    /// Number of elements of an array; never more than there are bytes left, since every element
    /// takes at least one. Null counts as empty.
    pub(crate) fn count(&mut self, flexible: bool) -> Result<usize, Fatal> {
        let count = self.length(flexible)?.unwrap_or(0);
        if count > self.remaining() {
            return Err(Fatal::Malformed("an array claims more elements than bytes are left"));
        }
        Ok(count)
    }

    pub(crate) fn nullable_string(&mut self, flexible: bool) -> Result<Option<&'a str>, Fatal> {
        let Some(length) = self.string_length(flexible)? else { return Ok(None) };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| Fatal::Malformed("a string is not UTF-8"))
    }

    pub(crate) fn string(&mut self, flexible: bool) -> Result<&'a str, Fatal> {
        self.nullable_string(flexible)?.ok_or(Fatal::Malformed("a required string is null"))
    }

    /// A byte field that shares the frame's memory.
    pub(crate) fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, Fatal> {
        let Some(length) = self.length(flexible)? else { return Ok(None) };
        let start = self.at;
        self.take(length)?;
        Ok(Some(self.frame.slice(start..start + length)))
    }

    /// Skips the tagged fields that end every structure of a flexible version.
    pub(crate) fn tags(&mut self, flexible: bool) -> Result<(), Fatal> {
        if !flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.skip(size as usize)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn lengths_beyond_the_frame_are_refused() {
        for bytes in [&[0x7f, 0xff, 0xff, 0xff][..], &[0x00, 0x00, 0x00, 0x02, 1]] {
            assert!(Reader::new(&frame(bytes)).nullable_bytes(false).is_err());
            assert!(Reader::new(&frame(bytes)).count(false).is_err());
        }
        assert!(Reader::new(&frame(&[0xff; 5])).unsigned_varint().is_err());
        assert!(Reader::new(&frame(&[0xff, 0xfe, 0])).string(false).is_err());
    }

    #[test]
    fn varints_read_both_ends_of_their_range() {
        let largest = frame(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(Reader::new(&largest).unsigned_varint(), Ok(u32::MAX));
        assert_eq!(Reader::new(&frame(&[0])).unsigned_varint(), Ok(0));
    }

    #[test]
    fn tags_are_skipped_by_their_own_sizes() {
        let tagged = frame(&[2, 0, 1, 9, 7, 2, 9, 9, 42]);
        let mut reader = Reader::new(&tagged);
        reader.tags(true).unwrap();
        assert_eq!(reader.i8(), Ok(42));
        assert_eq!(reader.remaining(), 0);
    }
}
