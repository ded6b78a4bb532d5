//! WebSocket frames as a client reads and writes them (RFC 6455 §5). No I/O.
//!
//! Bytes are decoded where they lie; a connection keeps memory only for a frame that has not come in
//! whole. With a buffer of one's own for each of 10,000 idle sockets, as the usual libraries have it, the
//! generator would need 100 MB for nothing.

use std::ops::Range;

use thiserror::Error;

/// What a server may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// With the code, if one was given.
    Close(Option<u16>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    #[error("a reserved bit or opcode is in use")]
    Reserved,
    #[error("a frame from the server is masked")]
    Masked,
    #[error("a control frame is fragmented or longer than 125 bytes")]
    Control,
    #[error("a message continues that never began, or a new one begins within another")]
    Continuation,
    #[error("a message is longer than {LARGEST_MESSAGE_BYTES} bytes")]
    TooLong,
    #[error("a text is not UTF-8")]
    Utf8,
}

/// An order with its whole history is a few kilobytes.
const LARGEST_MESSAGE_BYTES: usize = 1 << 20;
const LARGEST_CONTROL_BYTES: usize = 125;

pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// Puts frames and messages together from whatever pieces they come in.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a frame that has not come in whole.
    pending: Vec<u8>,
    /// A fragmented message so far.
    fragments: Option<Box<Fragments>>,
}

#[derive(Debug)]
struct Fragments {
    opcode: u8,
    payload: Vec<u8>,
}

struct Header {
    fin: bool,
    opcode: u8,
    payload: Range<usize>,
}

impl Decoder {
    /// Hands every message that is complete with `bytes` to `on_message`.
    ///
    /// # Errors
    /// What breaks the protocol; the connection is of no use afterwards.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut on_message: impl FnMut(Message<'_>),
    ) -> Result<(), FrameError> {
        if self.pending.is_empty() {
            let used = self.decode(bytes, &mut on_message)?;
            self.pending.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let used = self.decode(&pending, &mut on_message)?;
        if used < pending.len() {
            pending.drain(..used);
            self.pending = pending;
        }
        Ok(())
    }

    fn decode(
        &mut self,
        bytes: &[u8],
        on_message: &mut impl FnMut(Message<'_>),
    ) -> Result<usize, FrameError> {
        let mut used = 0;
        while let Some(header) = read_header(&bytes[used..])? {
            let rest = &bytes[used..];
            let Some(payload) = rest.get(header.payload.clone()) else { break };
            used += header.payload.end;
            self.accept(&header, payload, on_message)?;
        }
        Ok(used)
    }

    fn accept(
        &mut self,
        header: &Header,
        payload: &[u8],
        on_message: &mut impl FnMut(Message<'_>),
    ) -> Result<(), FrameError> {
        match (header.opcode, &mut self.fragments) {
            (opcode::PING, _) => on_message(Message::Ping(payload)),
            (opcode::PONG, _) => on_message(Message::Pong),
            (opcode::CLOSE, _) => {
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                on_message(Message::Close(code));
            }
            (opcode::CONTINUATION, Some(fragments)) => {
                if fragments.payload.len() + payload.len() > LARGEST_MESSAGE_BYTES {
                    return Err(FrameError::TooLong);
                }
                fragments.payload.extend_from_slice(payload);
                if header.fin
                    && let Some(whole) = self.fragments.take()
                {
                    on_message(data(whole.opcode, &whole.payload)?);
                }
            }
            (opcode::CONTINUATION, None) | (_, Some(_)) => return Err(FrameError::Continuation),
            (opcode, None) if header.fin => on_message(data(opcode, payload)?),
            (opcode, fragments @ None) => {
                *fragments = Some(Box::new(Fragments { opcode, payload: payload.to_vec() }));
            }
        }
        Ok(())
    }
}

fn data(opcode: u8, payload: &[u8]) -> Result<Message<'_>, FrameError> {
    if opcode == opcode::BINARY {
        return Ok(Message::Binary(payload));
    }
    std::str::from_utf8(payload).map(Message::Text).map_err(|_| FrameError::Utf8)
}

/// The header at the beginning of `bytes`, once it is there in whole.
fn read_header(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) {
        return Err(FrameError::Reserved);
    }
    if second & 0x80 != 0 {
        return Err(FrameError::Masked);
    }
    let (start, length) = match second & 0x7f {
        126 => match rest.first_chunk() {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        length => (2, u64::from(length)),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if opcode >= opcode::CLOSE && (!fin || length > LARGEST_CONTROL_BYTES) {
        return Err(FrameError::Control);
    }
    if length > LARGEST_MESSAGE_BYTES {
        return Err(FrameError::TooLong);
    }
    Ok(Some(Header { fin, opcode, payload: start..start + length }))
}

/// Appends a frame to `out`, masked as clients must.
pub(crate) fn encode(opcode: u8, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![u8::from(fin) << 7 | opcode];
        match payload.len() {
            short @ 0..=125 => bytes.push(short as u8),
            long => {
                bytes.push(126);
                bytes.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for piece in pieces {
            decoder.feed(piece, |message| seen.push(format!("{message:?}")))?;
        }
        Ok(seen)
    }

    #[test]
    fn every_kind_of_frame_is_read() {
        let bytes = [
            frame(true, opcode::TEXT, "grüß".as_bytes()),
            frame(true, opcode::PING, b"p"),
            frame(false, opcode::TEXT, b"one "),
            frame(true, opcode::PONG, b""),
            frame(true, opcode::CONTINUATION, b"two"),
            frame(true, opcode::BINARY, &[1, 2]),
            frame(true, opcode::CLOSE, &[3, 232, b'b']),
            frame(true, opcode::CLOSE, b""),
        ]
        .concat();
        let seen = [
            "Text(\"grüß\")",
            "Ping([112])",
            "Pong",
            "Text(\"one two\")",
            "Binary([1, 2])",
            "Close(Some(1000))",
            "Close(None)",
        ];
        assert_eq!(decode(&[&bytes]).unwrap(), seen);
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        let long = frame(true, opcode::PING, &[0; 126]);
        let huge = [&[0x82, 127][..], &u64::MAX.to_be_bytes()].concat();
        let cases: [(&[u8], FrameError); 8] = [
            (&[0xc1, 0], FrameError::Reserved),
            (&[0x83, 0], FrameError::Reserved),
            (&[0x81, 0x80], FrameError::Masked),
            (&[0x09, 0], FrameError::Control),
            (&long, FrameError::Control),
            (&[0x80, 0], FrameError::Continuation),
            (&[0x01, 0, 0x01, 0], FrameError::Continuation),
            (&huge, FrameError::TooLong),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(&[bytes]), Err(error), "{bytes:?}");
        }
        assert_eq!(decode(&[&frame(true, opcode::TEXT, &[0xff])]), Err(FrameError::Utf8));
    }

    #[test]
    fn an_idle_decoder_holds_no_memory() {
        let mut decoder = Decoder::default();
        let bytes = frame(true, opcode::TEXT, &[b'x'; 3000]);
        for piece in bytes.chunks(1000) {
            decoder.feed(piece, |_| {}).unwrap();
        }
        assert_eq!(decoder.pending.capacity(), 0);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            texts in prop::collection::vec("[a-z]{0,300}", 1..8),
            cuts in prop::collection::vec(1_usize..40, 1..50),
        ) {
            let bytes: Vec<u8> =
                texts.iter().flat_map(|text| frame(true, opcode::TEXT, text.as_bytes())).collect();
            let mut pieces = Vec::new();
            let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
            while let Some(cut) = cuts.next() && !rest.is_empty() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            let wanted: Vec<_> = texts.iter().map(|t| format!("{:?}", Message::Text(t))).collect();
            prop_assert_eq!(decode(&pieces).unwrap(), wanted);
        }

        #[test]
        fn a_masked_frame_unmasks_to_its_payload(
            payload in prop::collection::vec(any::<u8>(), 0..70_000),
            mask in any::<[u8; 4]>(),
        ) {
            let mut bytes = Vec::new();
            encode(opcode::BINARY, &payload, mask, &mut bytes);
            let start = bytes.len() - payload.len();
            prop_assert_eq!(&bytes[start - 4..start], &mask);
            let plain: Vec<u8> =
                bytes[start..].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
            prop_assert_eq!(plain, payload);
            prop_assert_eq!(bytes[1] & 0x80, 0x80);
        }
    }
}
