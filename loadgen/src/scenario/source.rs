//! The texts that a scenario comes from: its file and what that includes, as one range of places.

use std::ops::Range;

use toml::de::DeTable;

use super::reader::ScenarioError;
use super::value::Table;

/// Texts one after the other, so that a place in any of them is one number.
#[derive(Debug, Clone, Default)]
pub(super) struct Source(Vec<Text>);

#[derive(Debug, Clone)]
struct Text {
    /// `None` for the scenario's own file.
    file: Option<String>,
    text: String,
    /// Where it begins.
    start: usize,
}

impl Source {
    /// Adds a text and gives what stands in it, with its places.
    pub(super) fn add(
        &mut self,
        file: Option<String>,
        text: &str,
    ) -> Result<Table, Vec<ScenarioError>> {
        let start = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.0.push(Text { file, text: text.to_owned(), start });
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let mut table = Table::from(table.into_inner());
            table.shift(start);
            return Ok(table);
        }
        let error = |error: &toml::de::Error| {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().to_owned();
            self.locate(&(span.start + start..span.end + start), String::new(), message)
        };
        let mut errors: Vec<_> = errors.iter().map(error).collect();
        errors.sort_by(ScenarioError::by_place);
        Err(errors)
    }

    /// The mistake at a place.
    pub(super) fn locate(
        &self,
        span: &Range<usize>,
        field: String,
        message: String,
    ) -> ScenarioError {
        let text = self.0.iter().rev().find(|text| text.start <= span.start);
        let (file, source, start) = match text {
            Some(text) => (text.file.clone(), text.text.as_str(), span.start - text.start),
            None => (None, "", 0),
        };
        let before = source.get(..start).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ScenarioError {
            file,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            field,
            message,
        }
    }
}
