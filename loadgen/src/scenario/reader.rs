//! Typed reading of TOML tables. Every mistake is collected with its line, column and field, so that
//! one look at the output mends the whole file; the result counts only when there is none.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::source::Source;
use super::suggest::did_you_mean;
use super::value::{Entry, Located, Misfit, Node, Table, Value};

pub use super::value::FromValue;

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioError {
    /// The included file that it stands in; `None` for the file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Where it stands, like `phases[0].scenarios.orders.rate`; empty for the file itself.
    pub field: String,
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl ScenarioError {
    /// As they are told: file by file, from top to bottom.
    pub(super) fn by_place(a: &Self, b: &Self) -> std::cmp::Ordering {
        (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column))
    }
}

impl std::error::Error for ScenarioError {}

/// A table together with the place where it stands, to be read now or later.
#[derive(Clone)]
pub struct Section {
    source: Arc<Source>,
    path: String,
    span: Range<usize>,
    table: Table,
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({})", self.path)
    }
}

impl Section {
    /// Parses a whole document that includes no other.
    ///
    /// # Errors
    /// Every place where the text is no TOML.
    pub fn parse(text: &str) -> Result<Self, Vec<ScenarioError>> {
        let mut source = Source::default();
        let table = source.add(None, text)?;
        Ok(Self::whole(source, table))
    }

    pub(super) fn whole(source: Source, table: Table) -> Self {
        Self { source: Arc::new(source), path: String::new(), span: 0..0, table }
    }

    /// Every key that `read` asks for, here and in the tables within, in the order of the alphabet.
    #[must_use]
    pub fn keys<T>(&self, read: impl FnOnce(&mut TableReader<'_>) -> T) -> BTreeSet<&'static str> {
        self.read_with(read).1.asked.into_inner()
    }

    fn read_with<T>(&self, read: impl FnOnce(&mut TableReader<'_>) -> T) -> (T, Errors<'_>) {
        let (found, asked) = Default::default();
        let errors = Errors { source: &self.source, found, asked };
        let reader = TableReader::new(&errors, self.path.clone(), self.span.clone(), &self.table);
        let value = reader.run(read);
        (value, errors)
    }

    /// Reads the table with `read`; keys that `read` did not ask for are mistakes.
    ///
    /// # Errors
    /// Every mistake in the table, in the order of the file.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&mut TableReader<'_>) -> T,
    ) -> Result<T, Vec<ScenarioError>> {
        let (value, errors) = self.read_with(read);
        let mut found = errors.found.into_inner();
        if found.is_empty() {
            return Ok(value);
        }
        found.sort_by(ScenarioError::by_place);
        Err(found)
    }
}

struct Errors<'a> {
    source: &'a Arc<Source>,
    found: RefCell<Vec<ScenarioError>>,
    /// Every key that was asked for.
    asked: RefCell<BTreeSet<&'static str>>,
}

/// Reads one table. What was never asked for is a mistake, so ask for every key that may stand there.
pub struct TableReader<'a> {
    errors: &'a Errors<'a>,
    path: String,
    span: Range<usize>,
    table: &'a Table,
    asked: Vec<&'static str>,
    /// Keys with a mistake already, so that one mistake is not told twice.
    broken: Vec<&'static str>,
    /// Set when a mistake elsewhere leaves open which keys belong here.
    tolerant: bool,
}

impl<'a> TableReader<'a> {
    fn new(errors: &'a Errors<'a>, path: String, span: Range<usize>, table: &'a Table) -> Self {
        let (asked, broken) = Default::default();
        Self { errors, path, span, table, asked, broken, tolerant: false }
    }

    fn run<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let value = read(&mut self);
        if !self.tolerant {
            self.refuse_unknown_keys();
        }
        value
    }

    /// Accepts unknown keys: for when a mistake leaves open which keys belong here.
    pub fn tolerate_unknown_keys(&mut self) {
        self.tolerant = true;
    }

    fn refuse_unknown_keys(&self) {
        let unknown = |entry: &&Entry| !self.asked.contains(&entry.key.as_str());
        for entry in self.table.0.iter().filter(unknown) {
            let hint = did_you_mean(&entry.key, self.asked.iter().copied());
            let message = format!("unknown key{hint}");
            self.error(&entry.key_span, self.field(&entry.key), message);
        }
    }

    /// The value of `key`, if it stands there and fits.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        let located = self.ask(key)?;
        match T::from_value(&Node(located)) {
            Ok(value) => Some(value),
            Err(Misfit { span, message }) => {
                self.broken.push(key);
                self.error(&span, self.field(key), message);
                None
            }
        }
    }

    /// The value of `key`, or `default` where there is none.
    pub fn or<T: FromValue>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// The value of `key`, which must stand there; some value when it does not.
    pub fn required<T: FromValue + Default>(&mut self, key: &'static str) -> T {
        if self.table.get(key).is_none() {
            self.asked.push(key);
            self.broken.push(key);
            self.error(&self.span.clone(), self.field(key), "is missing".into());
        }
        self.optional(key).unwrap_or_default()
    }

    /// Notes a mistake at `key` unless `holds`, or unless there was one before.
    pub fn ensure(&mut self, key: &'static str, holds: bool, message: &str) {
        if !holds && !self.broken.contains(&key) {
            self.reject(key, message.to_owned());
        }
    }

    /// Whether a mistake was noted at `key` already.
    #[must_use]
    pub fn is_broken(&self, key: &str) -> bool {
        self.broken.contains(&key)
    }

    /// Notes a mistake at `key`, or at the table where the key is missing.
    pub fn reject(&mut self, key: &'static str, message: String) {
        let span = self.table.get(key).map_or(&self.span, |entry| &entry.located.span);
        self.broken.push(key);
        self.error(span, self.field(key), message);
    }

    /// One of `names`, which must be there unless `default` says otherwise.
    pub fn choice(
        &mut self,
        key: &'static str,
        names: &[&'static str],
        default: Option<&'static str>,
    ) -> Option<&'static str> {
        let text: String = match default {
            Some(default) => self.or(key, default.to_owned()),
            None => self.required(key),
        };
        let found = names.iter().copied().find(|name| *name == text);
        if found.is_none() && !self.broken.contains(&key) {
            let hint = did_you_mean(&text, names.iter().copied());
            self.reject(key, format!("{text:?} is none of {}{hint}", names.join(", ")));
        }
        found
    }

    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Reads the table `key`, if there is one.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut TableReader<'_>) -> T,
    ) -> Option<T> {
        let located = self.ask(key)?;
        self.enter(located, self.field(key), read)
    }

    /// Reads the table `key`, which does not stand there, as if it stood there empty.
    pub(crate) fn absent<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut TableReader<'_>) -> T,
    ) -> T {
        self.asked.push(key);
        let empty = Table::default();
        TableReader::new(self.errors, self.field(key), self.span.clone(), &empty).run(read)
    }

    /// Reads every table of the array `key`.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut TableReader<'_>) -> T,
    ) -> Vec<T> {
        let Some(located) = self.ask(key) else { return Vec::new() };
        let Value::Array(array) = &located.value else {
            self.error(&located.span, self.field(key), "expected an array of tables".into());
            return Vec::new();
        };
        let item = |(index, item): (usize, &Located)| {
            self.enter(item, format!("{}[{index}]", self.field(key)), &mut read)
        };
        array.iter().enumerate().filter_map(item).collect()
    }

    /// Reads every table in the table `key`, with its name.
    pub fn named_tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut TableReader<'_>) -> T,
    ) -> Vec<T> {
        self.entries(key)
            .iter()
            .filter_map(|entry| {
                let field = format!("{}.{}", self.field(key), entry.key);
                self.enter(&entry.located, field, |reader| read(&entry.key, reader))
            })
            .collect()
    }

    /// Reads every entry in the table `key` with `read`, which tells what is wrong with the name or the
    /// value. A value that is no array counts as an array of one.
    pub(super) fn named_lists<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, Item<'_>) -> Result<T, String>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for entry in self.entries(key) {
            let items = match &entry.located.value {
                Value::Array(items) => items.as_slice(),
                _ => std::slice::from_ref(&entry.located),
            };
            let field = format!("{}.{:?}", self.field(key), entry.key);
            for item in items {
                match self.item(item, &field).map(|value| read(&entry.key, value)) {
                    Some(Ok(value)) => values.push(value),
                    Some(Err(message)) => self.error(&item.span, field.clone(), message),
                    None => {}
                }
            }
        }
        values
    }

    /// A threshold's two forms: a string, or a table with `threshold` and how to abort.
    fn item<'b>(&self, located: &'b Located, field: &str) -> Option<Item<'b>> {
        match &located.value {
            Value::Text(text) => Some(Item { text: text.into(), ..Item::default() }),
            _ => self.enter(located, field.to_owned(), |reader| Item {
                text: reader.required::<String>("threshold").into(),
                abort_on_fail: reader.or("abortOnFail", false),
                delay_abort_eval: reader.or("delayAbortEval", Default::default()),
                no_data_passes: reader.choice("noData", &["fail", "pass"], Some("fail"))
                    == Some("pass"),
            }),
        }
    }

    /// The table `key` to be read later by whoever knows what stands in it.
    pub fn section(&mut self, key: &'static str) -> Option<Section> {
        let located = self.ask(key)?;
        let Value::Table(table) = &located.value else {
            self.error(&located.span, self.field(key), "expected a table".into());
            return None;
        };
        let (span, table) = (located.span.clone(), table.clone());
        Some(Section { source: self.errors.source.clone(), path: self.field(key), span, table })
    }

    fn entries(&mut self, key: &'static str) -> &'a [Entry] {
        match self.ask(key) {
            None => &[],
            Some(Located { value: Value::Table(table), .. }) => &table.0,
            Some(located) => {
                self.error(&located.span, self.field(key), "expected a table".into());
                &[]
            }
        }
    }

    fn enter<T>(
        &self,
        located: &Located,
        field: String,
        read: impl FnOnce(&mut TableReader<'_>) -> T,
    ) -> Option<T> {
        let Value::Table(table) = &located.value else {
            self.error(&located.span, field, "expected a table".into());
            return None;
        };
        Some(TableReader::new(self.errors, field, located.span.clone(), table).run(read))
    }

    fn ask(&mut self, key: &'static str) -> Option<&'a Located> {
        self.asked.push(key);
        self.errors.asked.borrow_mut().insert(key);
        self.table.get(key).map(|entry| &entry.located)
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn error(&self, span: &Range<usize>, field: String, message: String) {
        self.errors.found.borrow_mut().push(self.errors.source.locate(span, field, message));
    }
}

/// One threshold as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) text: std::borrow::Cow<'a, str>,
    pub(super) abort_on_fail: bool,
    pub(super) delay_abort_eval: std::time::Duration,
    pub(super) no_data_passes: bool,
}
