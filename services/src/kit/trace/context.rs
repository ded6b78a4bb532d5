//! The `traceparent` header (W3C Trace Context, level 1).

use std::fmt;

/// The header's name, in HTTP as in Kafka's records.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Characters of a version 00 header: `00-<trace id>-<parent id>-<flags>`.
const LENGTH: usize = 55;

const SAMPLED: u8 = 1;

/// A place in a trace: the trace, and the span that whatever follows belongs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) sampled: bool,
}

impl TraceContext {
    /// Reads a header. `None` for anything that is not one: a broken header begins no trace, and fails
    /// no request.
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?.trim();
        let head = text.get(..LENGTH)?;
        let mut parts = head.split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths = (version.len(), trace_id.len(), span_id.len(), flags.len());
        let version = lower_hex(version)?;
        // Later versions may say more behind what is known; version 00 may not, and 255 is none.
        let fits = match version {
            0 => text.len() == LENGTH,
            255 => false,
            _ => text.len() == LENGTH || text.as_bytes()[LENGTH] == b'-',
        };
        if lengths != (2, 32, 16, 2) || !fits {
            return None;
        }
        let (trace_id, span_id) = (lower_hex(trace_id)?, u64::try_from(lower_hex(span_id)?).ok()?);
        let sampled = u8::try_from(lower_hex(flags)?).ok()? & SAMPLED != 0;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled })
    }
}

fn lower_hex(digits: &str) -> Option<u128> {
    let all = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if all { u128::from_str_radix(digits, 16).ok() } else { None }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { SAMPLED } else { 0 };
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written_alike() {
        let context = TraceContext::parse(HEADER.as_bytes()).unwrap();
        assert!(context.sampled);
        assert_eq!(context.to_string(), HEADER);
        let unsampled = HEADER.replace("-01", "-00");
        assert_eq!(TraceContext::parse(unsampled.as_bytes()).unwrap().to_string(), unsampled);
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = HEADER.replacen("00-", "01-", 1);
        for header in [later.clone(), format!("{later}-more")] {
            assert!(TraceContext::parse(header.as_bytes()).is_some(), "{header}");
        }
    }

    #[test]
    fn what_is_no_header_begins_no_trace() {
        for header in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            &format!("{HEADER}-more"),
            &HEADER.to_uppercase(),
            &HEADER.replacen("00-", "ff-", 1),
            &HEADER.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &HEADER.replace("b7ad6b7169203331", &"0".repeat(16)),
            &HEADER.replace("-b7", "_b7"),
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "ü0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(header.as_bytes()), None, "{header}");
        }
        assert_eq!(TraceContext::parse(&[0xff; LENGTH]), None);
    }
}
