//! Scenario files: TOML in k6's words.
//!
//! | module | what it does |
//! |---|---|
//! | [`reader`] | reads TOML tables and collects every mistake with its place |
//! | `schema` | what stands in a scenario file |
//! | `include` | puts a file on top of what it includes |
//! | `options` | the executors and their options |
//! | `overrides` | what the command line says over a file |
//! | `scale` | makes a phase smaller or larger |
//! | `shipped` | the files that come with the program |

pub mod duration;
mod include;
mod options;
mod overrides;
pub mod reader;
mod scale;
mod schema;
mod shipped;
mod source;
pub(crate) mod suggest;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::flow::{Flow, HttpParams, Needs};
use crate::threshold::{Stretch, Threshold};

pub use options::{Executor, NAMES as EXECUTORS, Stage};
pub use overrides::{Overrides, StageOverride};
pub use reader::{ScenarioError, Section};
pub use shipped::{SHIPPED, shipped};
pub use value::Span;

/// A scenario file: its phases run in order, each on a fresh shop.
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    pub name: String,
    pub description: String,
    /// At least one. A file without `[[phases]]` is one phase named after the file's `name`.
    pub phases: Vec<Phase>,
}

/// Scenarios that run at the same time, and what must hold for them.
#[derive(Debug, Clone)]
pub struct Phase {
    pub name: String,
    pub scenarios: Vec<Scenario>,
    pub thresholds: Vec<Threshold>,
    /// Asked once before all load; what it captures is given to every scenario.
    pub setup: Option<HttpParams>,
    /// Asked once after all load.
    pub teardown: Option<HttpParams>,
    /// What those two may look up.
    pub env: BTreeMap<String, String>,
    /// A send lag p99 beyond this makes the run INVALID.
    pub send_lag_limit: Duration,
    /// `[shop]` and `[chaos]`, for whoever starts the shop.
    pub extra: Extra,
}

/// Tables that the load engine does not read itself.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    pub shop: Option<Section>,
    pub chaos: Option<Section>,
}

/// One executor running one flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    pub executor: Executor,
    pub flow: Flow,
    /// When it starts, counted from the phase's start.
    pub start_time: Duration,
    /// How long running iterations may take to end after the scenario's duration.
    pub graceful_stop: Duration,
    /// On every sample of this scenario.
    pub tags: BTreeMap<String, String>,
    /// What the flow may look up by name.
    pub env: BTreeMap<String, String>,
    /// Stages that have a name, in the order of time.
    #[serde(default)]
    pub stages: Vec<NamedStage>,
}

/// A stage by its name, counted from the phase's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedStage {
    pub name: String,
    pub span: Stretch,
}

impl Scenario {
    /// From its start until it starts no more iterations.
    #[must_use]
    pub fn span(&self) -> Stretch {
        Stretch { from: self.start_time, to: self.start_time + self.executor.duration() }
    }
}

impl Phase {
    /// From the start to the moment when the last executor starts no more iterations: the time over
    /// which a counter's `rate` is taken.
    #[must_use]
    pub fn load_duration(&self) -> Duration {
        self.scenarios.iter().map(|scenario| scenario.span().to).max().unwrap_or_default()
    }

    /// What of the shop its scenarios ask for.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let needs = self.scenarios.iter().map(|scenario| scenario.flow.needs());
        let steps = self.setup.iter().chain(&self.teardown);
        let needs = needs.chain(steps.map(HttpParams::needs));
        needs.max().unwrap_or(Needs::Nothing)
    }

    /// Names of what the setup captures.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        let names = self.setup.iter().flat_map(HttpParams::captured);
        names.map(Into::into).collect()
    }

    /// The longest that the phase can take: every iteration stopped at the last moment.
    #[must_use]
    pub fn longest_duration(&self) -> Duration {
        let end = |scenario: &Scenario| scenario.span().to + scenario.graceful_stop;
        self.scenarios.iter().map(end).max().unwrap_or_default()
    }

    /// The rate at which iterations are meant to start at `elapsed`, per second, over all scenarios
    /// with an arrival rate.
    #[must_use]
    pub fn target_rate(&self, elapsed: Duration) -> f64 {
        let rate = |scenario: &Scenario| {
            let own = elapsed.checked_sub(scenario.start_time)?;
            scenario.executor.target_rate(own)
        };
        self.scenarios.iter().filter_map(rate).sum()
    }
}

/// Reads a scenario file and what it includes.
///
/// # Errors
/// All mistakes in the file at once; one without a field when it cannot be read at all.
pub fn load(path: &Path) -> Result<ScenarioFile, Vec<ScenarioError>> {
    let text = include::read(path).map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        vec![ScenarioError { file: None, line: 1, column: 1, field: String::new(), message }]
    })?;
    include::section(&text, Some(path))?.read(schema::file)
}

/// Reads the text of a scenario file, which can include only what ships.
///
/// # Errors
/// All mistakes in the text at once.
pub fn parse(text: &str) -> Result<ScenarioFile, Vec<ScenarioError>> {
    include::section(text, None)?.read(schema::file)
}

/// Every key that the reader of this text asks for: where it has one of everything, those of the reference. What is
/// no TOML has none.
#[must_use]
pub fn keys(text: &str) -> BTreeSet<&'static str> {
    Section::parse(text).map(|section| section.keys(schema::file)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
