//! What an answer or a message must be, and what is kept of it: as scenario files say it, and compiled.

use std::time::Duration;

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::template::{Escape, Names, Scope, Template, parse, parse_json};
use crate::scenario::reader::TableReader;

/// What is demanded of an answer. Each demand is a check of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Demands {
    /// `201`, `"2xx"`.
    pub statuses: Vec<String>,
    /// The response time, at most.
    pub time: Option<Duration>,
    /// Each header must be there and contain the text.
    pub headers: Vec<(String, String)>,
    /// What stands at a JSON path must equal the value.
    pub json: Vec<(String, Value)>,
    /// Something must stand at the JSON path.
    pub exists: Vec<String>,
    /// The body must contain the text.
    pub contains: Option<String>,
}

/// Something to be kept under a name: `json $.order_id`, `header location`, `regex id=(\w+)`, `body`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub name: String,
    pub from: String,
}

/// Statuses that some demand accepts: from and to.
type StatusRange = (u16, u16);

impl Demands {
    /// Reads what a table says of answers over HTTP.
    pub(super) fn read(reader: &mut TableReader<'_>) -> Self {
        let statuses = match reader.optional::<Value>("status") {
            None => Vec::new(),
            Some(Value::Array(all)) => all.iter().map(status_text).collect(),
            Some(one) => vec![status_text(&one)],
        };
        for status in &statuses {
            if let Err(message) = status_range(status) {
                reader.reject("status", message);
            }
        }
        let time = reader.optional("time");
        reader.ensure("time", time != Some(Duration::ZERO), "must be longer than nothing");
        let headers = reader.or("headers", Vec::new());
        Self { statuses, time, headers, ..Self::read_body(reader) }
    }

    /// Reads what a table says of a body or a message.
    pub(super) fn read_body(reader: &mut TableReader<'_>) -> Self {
        let json: Vec<(String, Value)> = reader.or("json", Vec::new());
        let exists: Vec<String> = reader.or("exists", Vec::new());
        for (key, paths) in [
            ("json", json.iter().map(|(path, _)| path).collect::<Vec<_>>()),
            ("exists", exists.iter().collect()),
        ] {
            for path in paths {
                if let Err(message) = json_path(path) {
                    reader.reject(key, message);
                }
            }
        }
        let contains = reader.optional("contains");
        Self { json, exists, contains, ..Self::default() }
    }
}

fn status_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

fn status_range(text: &str) -> Result<StatusRange, String> {
    let wrong = || format!("{text:?} is no status: write it like 201 or \"2xx\"");
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 =
            class.parse().ok().filter(|class| (1..=5).contains(class)).ok_or_else(wrong)?;
        return Ok((class * 100, class * 100 + 99));
    }
    let status =
        text.parse().ok().filter(|status| (100..=599).contains(status)).ok_or_else(wrong)?;
    Ok((status, status))
}

fn json_path(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse(text)
        .map_err(|error| format!("{text:?} is no JSON path like \"$.items[0].id\": {error}"))
}

impl Capture {
    /// Reads the table `capture`.
    pub(super) fn read_all(reader: &mut TableReader<'_>) -> Vec<Self> {
        let table: Vec<(String, String)> = reader.or("capture", Vec::new());
        let all: Vec<_> = table.into_iter().map(|(name, from)| Self { name, from }).collect();
        for capture in &all {
            let plain = capture.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !plain || capture.name.is_empty() {
                let message = format!("{:?} is no name: letters, digits and `_`", capture.name);
                reader.reject("capture", message);
            } else if let Err(message) = Finder::new(&capture.from) {
                reader.reject("capture", message);
            }
        }
        all
    }
}

/// An answer as demands see it.
pub(super) struct Seen<'a> {
    pub(super) status: u16,
    pub(super) header: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    pub(super) body: &'a [u8],
    pub(super) took: Duration,
}

/// One compiled demand.
#[derive(Debug)]
pub(super) enum Demand {
    Status(Vec<StatusRange>),
    Time(Duration),
    Header(String, Template),
    Json(Box<JsonPath>, Template),
    Exists(Box<JsonPath>),
    Contains(Template),
}

impl Demand {
    /// All demands, each with what it is called.
    ///
    /// # Errors
    /// What is wrong with one.
    pub(super) fn compile(
        demands: &Demands,
        names: Names<'_>,
    ) -> Result<Vec<(String, Self)>, String> {
        let mut all = Vec::new();
        if !demands.statuses.is_empty() {
            let ranges = demands.statuses.iter().map(|status| status_range(status));
            let name = format!("status is {}", demands.statuses.join(" or "));
            all.push((name, Self::Status(ranges.collect::<Result<_, _>>()?)));
        }
        if let Some(time) = demands.time {
            all.push((format!("takes less than {time:?}"), Self::Time(time)));
        }
        for (header, text) in &demands.headers {
            let text_now = parse(text, Escape::Nothing, names)?;
            all.push((format!("{header} has {text}"), Self::Header(header.clone(), text_now)));
        }
        for (path, value) in &demands.json {
            let name = format!("{path} is {value}");
            all.push((name, Self::Json(Box::new(json_path(path)?), parse_json(value, names)?)));
        }
        for path in &demands.exists {
            all.push((format!("{path} is there"), Self::Exists(Box::new(json_path(path)?))));
        }
        if let Some(text) = &demands.contains {
            let name = format!("contains {text}");
            all.push((name, Self::Contains(parse(text, Escape::Nothing, names)?)));
        }
        Ok(all)
    }

    /// Whether the document has to be read for it.
    pub(super) const fn needs_json(&self) -> bool {
        matches!(self, Self::Json(..) | Self::Exists(_))
    }

    /// Whether it holds. `document` is the body as JSON, where that was asked for and possible.
    pub(super) fn holds(
        &self,
        seen: &Seen<'_>,
        document: Option<&Value>,
        scope: &Scope<'_>,
    ) -> bool {
        match self {
            Self::Status(ranges) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&seen.status))
            }
            Self::Time(limit) => seen.took < *limit,
            Self::Header(name, text) => {
                let value = (seen.header)(name);
                value.is_some_and(|value| contains(value, text.text(scope).as_bytes()))
            }
            Self::Json(path, wanted) => {
                let found = document.and_then(|document| path.query(document).first());
                found.is_some_and(|found| equals(found, &wanted.text(scope)))
            }
            Self::Exists(path) => document.is_some_and(|document| !path.query(document).is_empty()),
            Self::Contains(text) => contains(seen.body, text.text(scope).as_bytes()),
        }
    }
}

/// Numbers are equal by their value, `5` and `5.0` too.
fn equals(found: &Value, wanted: &str) -> bool {
    let Ok(wanted) = serde_json::from_str::<Value>(wanted) else { return false };
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => found.total_cmp(&wanted).is_eq(),
        _ => *found == wanted,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// The number of a captured value: an old one where it is captured again.
pub(super) fn place(name: &str, captured: &mut Vec<String>) -> usize {
    captured.iter().position(|known| known == name).unwrap_or_else(|| {
        captured.push(name.to_owned());
        captured.len() - 1
    })
}

/// Where a captured value comes from.
#[derive(Debug)]
pub(super) enum Finder {
    Json(Box<JsonPath>),
    Header(String),
    /// Its first group, or the whole match where it has none.
    Regex(Box<Regex>),
    Body,
}

impl Finder {
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn new(from: &str) -> Result<Self, String> {
        let (kind, rest) = from.split_once(' ').unwrap_or((from, ""));
        match (kind, rest.trim()) {
            ("json", path) => json_path(path).map(|path| Self::Json(Box::new(path))),
            ("header", name) if !name.is_empty() => Ok(Self::Header(name.into())),
            ("regex", pattern) if !pattern.is_empty() => Regex::new(pattern)
                .map(|regex| Self::Regex(Box::new(regex)))
                .map_err(|error| format!("{pattern:?} is no regular expression: {error}")),
            ("body", "") => Ok(Self::Body),
            _ => Err(format!(
                "{from:?} says not where to look: write \"json $.path\", \"header NAME\", \"regex PATTERN\" or \"body\""
            )),
        }
    }

    pub(super) const fn needs_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// What is there, as text.
    pub(super) fn find(&self, seen: &Seen<'_>, document: Option<&Value>) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Json(path) => match path.query(document?).first()? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            Self::Header(name) => (seen.header)(name).map(text),
            Self::Regex(regex) => {
                let found = regex.captures(seen.body)?;
                found.get(1).or_else(|| found.get(0)).map(|found| text(found.as_bytes()))
            }
            Self::Body => Some(text(seen.body)),
        }
    }
}
