//! A TOML document as values that know where they stand in the text.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;

/// A value and its bytes in the text.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// `None`: beyond 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Located>),
    Table(Table),
}

/// A table's entries in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) located: Located,
}

impl Table {
    /// Moves all places by `start` bytes.
    pub(super) fn shift(&mut self, start: usize) {
        for entry in &mut self.0 {
            entry.key_span = entry.key_span.start + start..entry.key_span.end + start;
            entry.located.shift(start);
        }
    }

    /// Takes an entry out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at))
    }

    /// Puts `over` on top: tables are merged key by key, everything else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        for entry in over.0 {
            match self.0.iter_mut().find(|own| own.key == entry.key) {
                None => self.0.push(entry),
                Some(own) => match (&mut own.located.value, entry.located.value) {
                    (Value::Table(own_table), Value::Table(table)) => {
                        own_table.merge(table);
                        own.located.span = entry.located.span;
                        own.key_span = entry.key_span;
                    }
                    (_, value) => {
                        own.located = Located { span: entry.located.span, value };
                        own.key_span = entry.key_span;
                    }
                },
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }
}

impl Located {
    fn shift(&mut self, start: usize) {
        self.span = self.span.start + start..self.span.end + start;
        match &mut self.value {
            Value::Array(items) => items.iter_mut().for_each(|item| item.shift(start)),
            Value::Table(table) => table.shift(start),
            _ => {}
        }
    }
}

impl From<DeTable<'_>> for Table {
    fn from(table: DeTable<'_>) -> Self {
        let mut entries: Vec<_> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_span: key.span(),
                key: key.into_inner().into_owned(),
                located: value.into(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        Self(entries)
    }
}

impl From<Spanned<DeValue<'_>>> for Located {
    fn from(spanned: Spanned<DeValue<'_>>) -> Self {
        let span = spanned.span();
        let value = match spanned.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) => Value::Array(array.into_iter().map(Into::into).collect()),
            DeValue::Table(table) => Value::Table(table.into()),
        };
        Self { span, value }
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(Some(_)) => "an integer",
            Self::Integer(None) => "an integer beyond 64 bits",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Why a value is not what was asked for, and the part of the text that is wrong.
#[derive(Debug)]
pub struct Misfit {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// What can be read from a value.
pub trait FromValue: Sized {
    #[doc(hidden)]
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit>;
}

/// A value that is being read.
pub struct Node<'a>(pub(super) &'a Located);

impl Node<'_> {
    fn misfit<T>(&self, wanted: &str) -> Result<T, Misfit> {
        let message = format!("expected {wanted}, found {}", self.0.value.kind());
        Err(Misfit { span: self.0.span.clone(), message })
    }

    fn reject<T>(&self, message: String) -> Result<T, Misfit> {
        Err(Misfit { span: self.0.span.clone(), message })
    }
}

impl FromValue for String {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Text(text) => Ok(text.clone()),
            _ => node.misfit("a string"),
        }
    }
}

impl FromValue for bool {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Boolean(value) => Ok(*value),
            _ => node.misfit("true or false"),
        }
    }
}

impl FromValue for f64 {
    #[expect(clippy::cast_precision_loss, reason = "no setting needs more than 53 bits")]
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Integer(Some(number)) => Ok(*number as f64),
            Value::Float(number) if number.is_finite() => Ok(*number),
            Value::Float(_) => node.reject("must be a finite number".into()),
            _ => node.misfit("a number"),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl FromValue for $number {
            fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
                match &node.0.value {
                    Value::Integer(Some(number)) => (*number).try_into().or_else(|_| {
                        let (least, most) = (<$number>::MIN, <$number>::MAX);
                        node.reject(format!("must lie between {least} and {most}"))
                    }),
                    _ => node.misfit("a whole number"),
                }
            }
        }
    )+};
}

whole_numbers!(u16, u32, u64, i32, i64);

/// Like `"1m30s"` or `"500ms"`; a bare number is milliseconds, as in k6.
impl FromValue for Duration {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Text(text) => duration::parse(text).or_else(|message| node.reject(message)),
            Value::Integer(Some(number)) => u64::try_from(*number)
                .map(Duration::from_millis)
                .or_else(|_| node.reject("a duration is never negative".into())),
            _ => node.misfit("a duration like \"1m30s\""),
        }
    }
}

/// A time that is drawn anew each time it is needed: from and to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
}

/// One duration, or two like `["1s", "3s"]`.
impl FromValue for Span {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        if !matches!(node.0.value, Value::Array(_)) {
            let time = Duration::from_value(node)?;
            return Ok(Self { from: time, to: time });
        }
        let [from, to] = <[Duration; 2]>::from_value(node)?;
        if from > to {
            node.reject("must name the shorter time first".into())
        } else {
            Ok(Self { from, to })
        }
    }
}

/// Any value, as the JSON that it is in TOML's words.
impl FromValue for serde_json::Value {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        Ok(match &node.0.value {
            Value::Text(text) => text.as_str().into(),
            Value::Boolean(value) => (*value).into(),
            Value::Integer(Some(number)) => (*number).into(),
            Value::Float(number) if number.is_finite() => (*number).into(),
            Value::Integer(None) | Value::Float(_) | Value::Datetime => {
                return node.misfit("a value that JSON knows");
            }
            Value::Array(items) => {
                items.iter().map(|item| Self::from_value(&Node(item))).collect::<Result<_, _>>()?
            }
            Value::Table(table) => {
                let member = |entry: &Entry| {
                    Ok((entry.key.clone(), Self::from_value(&Node(&entry.located))?))
                };
                Self::Object(table.0.iter().map(member).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Array(array) => array.iter().map(|item| T::from_value(&Node(item))).collect(),
            _ => node.misfit("an array"),
        }
    }
}

/// Two numbers, like `[1, 5]`.
impl<T: FromValue> FromValue for [T; 2] {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        let items = Vec::<T>::from_value(node)?;
        let count = items.len();
        items
            .try_into()
            .or_else(|_| node.reject(format!("expected an array of 2, like [1, 5], found {count}")))
    }
}

/// A table of simple values, in the order of the file.
impl<T: FromValue> FromValue for Vec<(String, T)> {
    fn from_value(node: &Node<'_>) -> Result<Self, Misfit> {
        match &node.0.value {
            Value::Table(table) => table
                .0
                .iter()
                .map(|entry| Ok((entry.key.clone(), T::from_value(&Node(&entry.located))?)))
                .collect(),
            _ => node.misfit("a table"),
        }
    }
}
