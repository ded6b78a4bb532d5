//! HTTP/1.1 answers as a client reads them (RFC 9112). No I/O.
//!
//! Bytes are read where they lie: an answer that has come in whole is judged without a copy, and a
//! connection keeps memory only for one that has not.

use httparse::{EMPTY_HEADER, Header, Status};
use thiserror::Error;

/// As many as servers send; more is an attack.
const MOST_HEADERS: usize = 96;
/// A head is complete within this, or is none.
const LARGEST_HEAD_BYTES: usize = 64 * 1024;
/// A chunk's size in hexadecimal, with its extensions.
const LONGEST_CHUNK_LINE: usize = 4 * 1024;

/// An answer that is no HTTP, or that nobody wants to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum WireError {
    #[error("the answer is no HTTP/1.1")]
    Head,
    #[error("the answer's head is longer than {LARGEST_HEAD_BYTES} bytes")]
    LongHead,
    #[error("the answer does not say where its body ends")]
    Length,
    #[error("a chunk of the answer is damaged")]
    Chunk,
    #[error("the answer is longer than this client keeps")]
    TooLong,
    #[error("the connection ended within the answer")]
    Ended,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    headers: &'a [Header<'a>],
    pub(crate) body: &'a [u8],
    /// What came in after it: of a connection that has changed its protocol, the beginning of what follows.
    pub(crate) rest: &'a [u8],
    /// Whether the connection can carry another request.
    pub(crate) keep_alive: bool,
}

impl<'a> Response<'a> {
    /// The first header of that name, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        let mut all = self.headers.iter();
        all.find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}

/// What is known once the head is there.
#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    framing: Framing,
    keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    /// Until the connection ends.
    Close,
}

/// Puts one answer together from whatever pieces it comes in.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What has come in of an answer that is not complete.
    bytes: Vec<u8>,
    head: Option<Head>,
    /// A chunked body so far, and how far `bytes` is read.
    chunks: Option<Chunks>,
}

/// What the answer is expected to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// It answers HEAD: whatever its head says, there is no body.
    pub(crate) no_body: bool,
    pub(crate) largest_body: usize,
}

impl Reader {
    /// Takes what has come in; `Some` of what `judge` says once the answer is complete.
    ///
    /// # Errors
    /// What breaks the protocol; the connection is of no use afterwards.
    pub(crate) fn feed<T>(
        &mut self,
        bytes: &[u8],
        expected: Expected,
        judge: impl FnOnce(Response<'_>) -> T,
    ) -> Result<Option<T>, WireError> {
        if self.bytes.is_empty() {
            let mut progress = Progress::default();
            let judged = progress.read(bytes, expected, false, judge)?;
            if judged.is_none() {
                self.bytes.extend_from_slice(&bytes[progress.skipped..]);
                (self.head, self.chunks) = (progress.head, progress.chunks);
            }
            return Ok(judged);
        }
        self.bytes.extend_from_slice(bytes);
        self.advance(expected, false, judge)
    }

    /// The connection has ended: that may be where the answer ends.
    ///
    /// # Errors
    /// [`WireError::Ended`] where it may not.
    pub(crate) fn end<T>(
        &mut self,
        expected: Expected,
        judge: impl FnOnce(Response<'_>) -> T,
    ) -> Result<T, WireError> {
        self.advance(expected, true, judge)?.ok_or(WireError::Ended)
    }

    fn advance<T>(
        &mut self,
        expected: Expected,
        ended: bool,
        judge: impl FnOnce(Response<'_>) -> T,
    ) -> Result<Option<T>, WireError> {
        let mut progress =
            Progress { head: self.head.take(), chunks: self.chunks.take(), skipped: 0 };
        let judged = progress.read(&self.bytes, expected, ended, judge)?;
        if judged.is_some() {
            // A large body's memory goes with it.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..progress.skipped);
            (self.head, self.chunks) = (progress.head, progress.chunks);
        }
        Ok(judged)
    }
}

/// How far the reading of an answer has come.
#[derive(Debug, Default)]
struct Progress {
    head: Option<Head>,
    chunks: Option<Chunks>,
    /// Bytes of interim answers, which nobody wants to see.
    skipped: usize,
}

impl Progress {
    fn read<T>(
        &mut self,
        bytes: &[u8],
        expected: Expected,
        ended: bool,
        judge: impl FnOnce(Response<'_>) -> T,
    ) -> Result<Option<T>, WireError> {
        loop {
            let answer = &bytes[self.skipped..];
            if let Some(head) = self.head {
                return self.read_body(answer, head, expected, ended, judge);
            }
            let mut headers = [EMPTY_HEADER; MOST_HEADERS];
            let Some((status, head)) = read_head(answer, &mut headers, expected)? else {
                return Ok(None);
            };
            if is_interim(status) {
                self.skipped += head.length;
                continue;
            }
            self.head = Some(head);
            // Nearly every answer comes in one piece: its head need not be read again.
            if let Framing::Length(length) = head.framing
                && let Some(body) = answer.get(head.length..head.length + length)
            {
                let rest = &answer[head.length + length..];
                let keep_alive = head.keep_alive;
                let headers = trimmed(&headers);
                return Ok(Some(judge(Response { status, headers, body, rest, keep_alive })));
            }
        }
    }

    fn read_body<T>(
        &mut self,
        answer: &[u8],
        head: Head,
        expected: Expected,
        ended: bool,
        judge: impl FnOnce(Response<'_>) -> T,
    ) -> Result<Option<T>, WireError> {
        let after = answer.get(head.length..).unwrap_or_default();
        let (body, rest) = match head.framing {
            Framing::Length(length) => match after.split_at_checked(length) {
                Some(parts) => parts,
                None => return Ok(None),
            },
            Framing::Chunked => {
                let chunks = self.chunks.get_or_insert_default();
                match chunks.read(after, expected.largest_body)? {
                    Some(used) => (chunks.body.as_slice(), &after[used..]),
                    None => return Ok(None),
                }
            }
            Framing::Close if after.len() > expected.largest_body => {
                return Err(WireError::TooLong);
            }
            Framing::Close if ended => (after, &[][..]),
            Framing::Close => return Ok(None),
        };
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let Some((status, _)) = read_head(answer, &mut headers, expected)? else {
            return Err(WireError::Head);
        };
        let keep_alive = head.keep_alive && !ended;
        let headers = trimmed(&headers);
        Ok(Some(judge(Response { status, headers, body, rest, keep_alive })))
    }
}

/// 101 is final: what follows it is another protocol.
const fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

fn trimmed<'a, 'b>(headers: &'a [Header<'b>]) -> &'a [Header<'b>] {
    let count = headers.iter().position(|header| header.name.is_empty());
    &headers[..count.unwrap_or(headers.len())]
}

/// `None` while the head is not complete.
fn read_head<'b>(
    bytes: &'b [u8],
    headers: &mut [Header<'b>],
    expected: Expected,
) -> Result<Option<(u16, Head)>, WireError> {
    let mut response = httparse::Response::new(headers);
    let length = match response.parse(bytes).map_err(|_| WireError::Head)? {
        Status::Complete(length) => length,
        Status::Partial if bytes.len() > LARGEST_HEAD_BYTES => return Err(WireError::LongHead),
        Status::Partial => return Ok(None),
    };
    let status = response.code.ok_or(WireError::Head)?;
    let mut keep_alive = response.version == Some(1);
    let (mut chunked, mut announced) = (false, None);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = read_length(header.value)?;
            if announced.is_some_and(|before| before != length) {
                return Err(WireError::Length);
            }
            announced = Some(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = has_token(header.value, "chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = match header.value {
                value if has_token(value, "close") => false,
                value if has_token(value, "keep-alive") => true,
                _ => keep_alive,
            };
        }
    }
    let bodiless = expected.no_body || matches!(status, 100..=199 | 204 | 304);
    let framing = match announced {
        _ if bodiless => Framing::Length(0),
        _ if chunked => Framing::Chunked,
        Some(length) if length > expected.largest_body => return Err(WireError::TooLong),
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    };
    keep_alive &= framing != Framing::Close;
    Ok(Some((status, Head { length, framing, keep_alive })))
}

fn read_length(value: &[u8]) -> Result<usize, WireError> {
    let digits = std::str::from_utf8(value).map_err(|_| WireError::Length)?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WireError::Length);
    }
    digits.parse().map_err(|_| WireError::Length)
}

fn has_token(value: &[u8], token: &str) -> bool {
    let mut tokens = value.split(|byte| *byte == b',');
    tokens.any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// A chunked body (RFC 9112 §7.1), decoded as it comes.
#[derive(Debug, Default)]
struct Chunks {
    body: Vec<u8>,
    /// How far the bytes after the head are read.
    at: usize,
    /// Bytes of the present chunk that are still to come.
    left: usize,
    state: ChunkState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum ChunkState {
    #[default]
    Size,
    Data,
    /// The line break after a chunk's data.
    Break,
    Trailer,
}

impl Chunks {
    /// Goes on reading `bytes`; where the body ends in them, once it is complete.
    fn read(&mut self, bytes: &[u8], largest: usize) -> Result<Option<usize>, WireError> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            if self.state == ChunkState::Data {
                let count = self.left.min(rest.len());
                if self.body.len() + count > largest {
                    return Err(WireError::TooLong);
                }
                self.body.extend_from_slice(&rest[..count]);
                self.at += count;
                self.left -= count;
                if self.left > 0 {
                    return Ok(None);
                }
                self.state = ChunkState::Break;
                continue;
            }
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                let endless = rest.len() > LONGEST_CHUNK_LINE;
                return if endless { Err(WireError::Chunk) } else { Ok(None) };
            };
            let line = rest[..end].trim_ascii_end();
            self.at += end + 1;
            match self.state {
                ChunkState::Break if !line.is_empty() => return Err(WireError::Chunk),
                ChunkState::Break => self.state = ChunkState::Size,
                ChunkState::Trailer if line.is_empty() => return Ok(Some(self.at)),
                ChunkState::Trailer => {}
                ChunkState::Size | ChunkState::Data => {
                    self.left = chunk_size(line)?;
                    self.state =
                        if self.left == 0 { ChunkState::Trailer } else { ChunkState::Data };
                }
            }
        }
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, WireError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| WireError::Chunk)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(WireError::Chunk);
    }
    usize::from_str_radix(text, 16).map_err(|_| WireError::Chunk)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
