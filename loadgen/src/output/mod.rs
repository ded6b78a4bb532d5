//! Outputs while a load runs: a line for each series and second, or the present state to whoever asks.
//!
//! | output | gives |
//! |---|---|
//! | [`json`] | JSON lines |
//! | [`csv`] | a table |
//! | [`prometheus`] | a port to scrape |
//! | [`hlog`] | an HDR interval log |
//!
//! They read the states that the conductor publishes, in a thread of their own ([`Outputs`]): no shard waits for a
//! disk, and an output that fails ends with a notice while the load goes on. Not one line per sample, as k6 writes
//! them: at ten thousand requests a second that would be the larger load.

mod changes;
mod csv;
mod hlog;
mod json;
mod prometheus;
mod run;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use changes::{Change, Changed, changes};
pub use run::{Feed, Outputs};

use crate::metrics::LoadState;
use crate::scenario::suggest::did_you_mean;

/// What has happened since the tick before.
pub struct Tick<'a> {
    /// The scenario file's name.
    pub run: &'a str,
    pub phase: &'a str,
    pub phase_started_at: DateTime<Utc>,
    pub before: &'a LoadState,
    pub now: &'a Arc<LoadState>,
}

impl Tick<'_> {
    /// When the state was taken.
    fn at(&self) -> DateTime<Utc> {
        self.phase_started_at + self.now.elapsed()
    }
}

/// Somewhere to write to.
pub trait Output: Send {
    /// # Errors
    /// When it cannot be written. It is not called again then.
    fn write(&mut self, tick: &Tick<'_>) -> io::Result<()>;
}

/// One kind of output.
struct Kind {
    name: &'static str,
    target: &'static str,
    open: fn(&str) -> io::Result<Box<dyn Output>>,
}

/// The register of outputs.
const KINDS: [Kind; 4] = [
    Kind { name: "json", target: "FILE", open: json::open },
    Kind { name: "csv", target: "FILE", open: csv::open },
    Kind { name: "prometheus", target: "HOST:PORT", open: prometheus::open },
    Kind { name: "hlog", target: "FILE", open: hlog::open },
];

/// `json=FILE`, `csv=FILE`, `prometheus=HOST:PORT` or `hlog=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    kind: &'static str,
    target: String,
}

impl OutputSpec {
    /// Creates the file or opens the port.
    ///
    /// # Errors
    /// What cannot be created or opened, and why.
    fn open(&self) -> io::Result<Box<dyn Output>> {
        let kind = KINDS.iter().find(|kind| kind.name == self.kind);
        let Some(kind) = kind else { return Err(io::Error::other("no such output")) };
        (kind.open)(&self.target)
    }
}

impl FromStr for OutputSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let forms = || {
            let form = |kind: &Kind| format!("{}={}", kind.name, kind.target);
            KINDS.iter().map(form).collect::<Vec<_>>().join(", ")
        };
        let (name, target) = text.split_once('=').unwrap_or((text, ""));
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
            let hint = did_you_mean(name, KINDS.iter().map(|kind| kind.name));
            return Err(format!("there is no output {name:?}{hint}; there are {}", forms()));
        };
        if target.is_empty() {
            let Kind { name, target, .. } = kind;
            return Err(format!("{name} needs a target: {name}={target}"));
        }
        Ok(Self { kind: kind.name, target: target.to_owned() })
    }
}

impl fmt::Display for OutputSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.kind, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_named_with_its_target() {
        let spec: OutputSpec = "json=a=b.jsonl".parse().unwrap();
        assert_eq!(spec.to_string(), "json=a=b.jsonl");
        let told = |text: &str| text.parse::<OutputSpec>().unwrap_err();
        assert_eq!(told("csv"), "csv needs a target: csv=FILE");
        assert_eq!(told("prometheus="), "prometheus needs a target: prometheus=HOST:PORT");
        assert_eq!(
            told("promtheus=:9"),
            "there is no output \"promtheus\"; did you mean \"prometheus\"?; there are json=FILE, csv=FILE, \
             prometheus=HOST:PORT, hlog=FILE"
        );
    }
}
