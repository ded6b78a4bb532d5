//! Writing texts with their placeholders filled in.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use rand::RngExt as _;
use rand::rngs::SmallRng;
use uuid::Uuid;

use super::{Escape, Piece, Placeholder, Template};

const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What all users of a scenario draw from.
pub(crate) struct Source<'a> {
    pub(crate) rng: &'a RefCell<SmallRng>,
    /// The next number of the scenario's sequence.
    pub(crate) sequence: &'a dyn Fn() -> u64,
}

/// What placeholders stand for in one iteration.
pub(crate) struct Scope<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) iteration: u64,
    pub(crate) virtual_user: u32,
    pub(crate) captured: &'a [String],
}

impl Template {
    /// Appends the text as it is now.
    pub(crate) fn render(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Value(placeholder, escape) => fill(placeholder, *escape, scope, out),
            }
        }
    }

    /// The text as it is now.
    pub(crate) fn text(&self, scope: &Scope<'_>) -> String {
        let mut out = Vec::new();
        self.render(scope, &mut out);
        // Every piece is UTF-8.
        String::from_utf8(out).unwrap_or_default()
    }
}

fn fill(placeholder: &Placeholder, escape: Escape, scope: &Scope<'_>, out: &mut Vec<u8>) {
    let number = |number: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    };
    let rng = || scope.source.rng.borrow_mut();
    match placeholder {
        Placeholder::Uuid => {
            let uuid = uuid::Builder::from_random_bytes(rng().random()).into_uuid();
            let mut text = Uuid::encode_buffer();
            out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
        }
        Placeholder::Random { from, to } => {
            let drawn = rng().random_range(*from..=*to);
            out.extend_from_slice(itoa::Buffer::new().format(drawn).as_bytes());
        }
        Placeholder::Choice(words) => {
            let at = rng().random_range(0..words.len());
            out.extend_from_slice(escaped(&words[at], escape).as_bytes());
        }
        Placeholder::Letters(count) => draw(&mut rng(), LETTERS, *count, out),
        Placeholder::Hex(count) => draw(&mut rng(), DIGITS, *count, out),
        Placeholder::Sequence => number((scope.source.sequence)(), out),
        Placeholder::Iteration => number(scope.iteration, out),
        Placeholder::VirtualUser => number(scope.virtual_user.into(), out),
        Placeholder::Now => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let millis = since.unwrap_or_default().as_millis();
            number(u64::try_from(millis).unwrap_or(u64::MAX), out);
        }
        Placeholder::Timestamp => {
            let now = DateTime::<Utc>::from(SystemTime::now());
            out.extend_from_slice(now.to_rfc3339_opts(SecondsFormat::Millis, true).as_bytes());
        }
        Placeholder::Captured(at) => {
            let value = scope.captured.get(*at).map_or("", String::as_str);
            out.extend_from_slice(escaped(value, escape).as_bytes());
        }
    }
}

fn draw(rng: &mut SmallRng, from: &[u8], count: u32, out: &mut Vec<u8>) {
    out.extend((0..count).map(|_| from[rng.random_range(0..from.len())]));
}

/// `text` as it may stand in a place of that kind.
pub(super) fn escaped(text: &str, escape: Escape) -> Cow<'_, str> {
    match escape {
        Escape::Nothing => text.into(),
        Escape::Json => json(text),
        Escape::Url => percent(text, is_plain_in_url),
        Escape::Form => {
            percent(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
        Escape::Header if text.chars().all(|c| !c.is_control()) => text.into(),
        Escape::Header => text.chars().filter(|c| !c.is_control()).collect::<String>().into(),
    }
}

fn percent(text: &str, is_plain: impl Fn(u8) -> bool) -> Cow<'_, str> {
    if text.bytes().all(&is_plain) {
        return text.into();
    }
    let one = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect::<String>().into()
}

fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(['"', '\\']) && text.chars().all(|c| !c.is_control()) {
        return text.into();
    }
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned().into()
}

/// Unreserved and reserved characters, and the sign of those that are encoded already (RFC 3986 §2).
fn is_plain_in_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}
