//! The shape of each request that `kafka-protocol` decodes. Its decoder reserves as many elements
//! as an array claims to have, so a few bytes could ask for gigabytes: a frame is walked along its
//! shape first, and only one whose every length fits is decoded.

use bytes::Bytes;

use super::{Fatal, Reader};

/// The most elements one array of a request may have.
const MAX_ARRAY_ELEMENTS: usize = 100_000;

/// A request body: the version from which it is flexible, and its fields in order.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) flexible_from: i16,
    pub(crate) fields: &'static [Field],
}

/// One field and the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    kind: Kind,
    from: i16,
    until: i16,
}

#[derive(Debug)]
enum Kind {
    Fixed(usize),
    Text,
    Bytes,
    Structures(&'static [Field]),
    NullableStructure(&'static [Field]),
    Texts,
    FixedArray(usize),
}

const fn field(kind: Kind) -> Field {
    Field { kind, from: 0, until: i16::MAX }
}

/// A number, boolean or UUID of `size` bytes.
pub(crate) const fn fixed(size: usize) -> Field {
    field(Kind::Fixed(size))
}

/// A string, null or not.
pub(crate) const fn text() -> Field {
    field(Kind::Text)
}

/// Bytes, null or not.
pub(crate) const fn bytes() -> Field {
    field(Kind::Bytes)
}

/// An array of structures with these fields.
pub(crate) const fn structures(fields: &'static [Field]) -> Field {
    field(Kind::Structures(fields))
}

/// A structure, or null, as the byte before it says.
pub(crate) const fn nullable_structure(fields: &'static [Field]) -> Field {
    field(Kind::NullableStructure(fields))
}

/// An array of strings.
pub(crate) const fn texts() -> Field {
    field(Kind::Texts)
}

/// An array of numbers of `size` bytes.
pub(crate) const fn fixed_array(size: usize) -> Field {
    field(Kind::FixedArray(size))
}

impl Field {
    /// Present from this version on.
    pub(crate) const fn since(mut self, version: i16) -> Self {
        self.from = version;
        self
    }

    /// Present up to this version.
    pub(crate) const fn until(mut self, version: i16) -> Self {
        self.until = version;
        self
    }
}

impl Shape {
    /// Walks a body; returns how many bytes lie behind it.
    pub(crate) fn check(&self, version: i16, body: &Bytes) -> Result<usize, Fatal> {
        let mut walk =
            Walk { reader: Reader::new(body), version, flexible: version >= self.flexible_from };
        walk.structure(self.fields)?;
        Ok(walk.reader.remaining())
    }
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &'static [Field]) -> Result<(), Fatal> {
        for field in fields {
            if (field.from..=field.until).contains(&self.version) {
                self.field(&field.kind)?;
            }
        }
        self.reader.tags(self.flexible)
    }

    fn field(&mut self, kind: &Kind) -> Result<(), Fatal> {
        match kind {
            Kind::Fixed(size) => self.reader.skip(*size),
            Kind::Text => self.text(),
            Kind::Bytes => {
                let length = self.reader.length(self.flexible)?.unwrap_or(0);
                self.reader.skip(length)
            }
            Kind::Structures(fields) => {
                for _ in 0..self.count()? {
                    self.structure(fields)?;
                }
                Ok(())
            }
            Kind::NullableStructure(fields) => {
                if self.reader.i8()? < 0 {
                    Ok(())
                } else {
                    self.structure(fields)
                }
            }
            Kind::Texts => {
                for _ in 0..self.count()? {
                    self.text()?;
                }
                Ok(())
            }
            Kind::FixedArray(size) => {
                let count = self.count()?;
                self.reader.skip(count * size)
            }
        }
    }

    fn text(&mut self) -> Result<(), Fatal> {
        let length = self.reader.string_length(self.flexible)?.unwrap_or(0);
        self.reader.skip(length)
    }

    fn count(&mut self) -> Result<usize, Fatal> {
        let count = self.reader.count(self.flexible)?;
        if count > MAX_ARRAY_ELEMENTS {
            return Err(Fatal::Malformed("an array has too many elements"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        flexible_from: 2,
        fields: &[
            fixed(4).since(1),
            structures(&[text(), fixed_array(4)]),
            texts().until(1),
            bytes().since(2),
        ],
    };

    #[test]
    fn a_body_is_walked_as_its_version_lays_it_out() {
        let version_0 = [0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0];
        assert_eq!(SHAPE.check(0, &Bytes::copy_from_slice(&version_0)), Ok(0));
        let version_2 = [0, 0, 0, 5, 2, 2, b'a', 1, 0, 2, 7, 0, 99];
        assert_eq!(SHAPE.check(2, &Bytes::copy_from_slice(&version_2)), Ok(1));
    }

    #[test]
    fn lying_counts_are_refused() {
        let huge = [0x7f, 0xff, 0xff, 0xff, 0, 0];
        assert!(SHAPE.check(0, &Bytes::copy_from_slice(&huge)).is_err());
        let huge_compact = [0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(SHAPE.check(2, &Bytes::copy_from_slice(&huge_compact)).is_err());
        let many = [vec![0, 1, 0x86, 0xa1], vec![0; 1_000_000]].concat();
        assert!(SHAPE.check(0, &Bytes::from(many)).is_err());
    }
}
