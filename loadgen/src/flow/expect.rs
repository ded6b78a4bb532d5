//! What an answer or a message must be, and what is kept of it: as scenario files say it, and compiled.

use std::time::Duration;

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_place::JsonPlace;
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
                if let Err(message) = JsonPlace::new(path) {
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
    Json(JsonPlace, Wanted),
    Exists(JsonPlace),
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
            let wanted = Wanted::new(parse_json(value, names)?);
            all.push((name, Self::Json(JsonPlace::new(path)?, wanted)));
        }
        for path in &demands.exists {
            all.push((format!("{path} is there"), Self::Exists(JsonPlace::new(path)?)));
        }
        if let Some(text) = &demands.contains {
            let name = format!("contains {text}");
            all.push((name, Self::Contains(parse(text, Escape::Nothing, names)?)));
        }
        Ok(all)
    }

    /// Whether it holds.
    pub(super) fn holds(&self, seen: &Seen<'_>, scope: &Scope<'_>) -> bool {
        match self {
            Self::Status(ranges) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&seen.status))
            }
            Self::Time(limit) => seen.took < *limit,
            Self::Header(name, text) => {
                let value = (seen.header)(name);
                value.is_some_and(|value| contains(value, text.text(scope).as_bytes()))
            }
            Self::Json(place, wanted) => {
                place.find(seen.body).is_some_and(|found| wanted.equals(&found, scope))
            }
            Self::Exists(place) => place.find(seen.body).is_some(),
            Self::Contains(text) => contains(seen.body, text.text(scope).as_bytes()),
        }
    }
}

/// A value that something must equal.
#[derive(Debug)]
pub(super) enum Wanted {
    Always(Value),
    /// It has placeholders.
    Now(Template),
}

impl Wanted {
    fn new(template: Template) -> Self {
        let constant = template.as_constant().and_then(|text| serde_json::from_str(text).ok());
        constant.map_or(Self::Now(template), Self::Always)
    }

    fn equals(&self, found: &Value, scope: &Scope<'_>) -> bool {
        match self {
            Self::Always(wanted) => equals(found, wanted),
            Self::Now(template) => serde_json::from_str(&template.text(scope))
                .is_ok_and(|wanted: Value| equals(found, &wanted)),
        }
    }
}

/// Numbers are equal by their value, `5` and `5.0` too.
fn equals(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => found.total_cmp(&wanted).is_eq(),
        _ => found == wanted,
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
    Json(JsonPlace),
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
            ("json", path) => JsonPlace::new(path).map(Self::Json),
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

    /// What is there, as text.
    pub(super) fn find(&self, seen: &Seen<'_>) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Json(place) => match place.find(seen.body)? {
                Value::String(text) => Some(text),
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
