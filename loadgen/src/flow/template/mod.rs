//! Texts with placeholders, as generic flows send them: `/order/${order_id}?page=${random(1,5)}`.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `${uuid}` | a random UUID |
//! | `${random(1,5)}` | a whole number, both ends included |
//! | `${choice(red,green)}` | one of the words |
//! | `${letters(8)}` · `${hex(16)}` | so many random letters · hexadecimal digits |
//! | `${seq}` | 1, 2, 3, …: another number at each use, over the whole scenario |
//! | `${iteration}` · `${vu}` | the iteration's number from 0 · the virtual user's from 1 |
//! | `${now}` · `${timestamp}` | the time: milliseconds since 1970 · RFC 3339 |
//! | `${env.NAME}` | the value of `env`'s NAME |
//! | `${name}` | what an earlier step has captured under that name |
//!
//! `$${` is a plain `${`.

mod parse;
mod render;

pub(crate) use parse::{Names, parse, parse_form, parse_json};
pub(crate) use render::{Scope, Source};

/// A text, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(Box<str>),
    Value(Placeholder, Escape),
}

/// What stands for a placeholder.
#[derive(Debug, Clone, PartialEq)]
enum Placeholder {
    Uuid,
    Random {
        from: i64,
        to: i64,
    },
    Choice(Vec<Box<str>>),
    Letters(u32),
    Hex(u32),
    Sequence,
    Iteration,
    VirtualUser,
    Now,
    Timestamp,
    /// The captured value with this number.
    Captured(usize),
}

/// What must not stand where the text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    Nothing,
    /// Within a JSON string.
    Json,
    /// In the path or query of a URL: what has a meaning there keeps it.
    Url,
    /// In a field of a form.
    Form,
    /// In a header: what would end it is left out.
    Header,
}

impl Template {
    /// The text, where nothing in it changes from one use to the next.
    pub(crate) fn as_constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            *last = format!("{last}{text}").into();
        } else {
            self.pieces.push(Piece::Text(text.into()));
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
