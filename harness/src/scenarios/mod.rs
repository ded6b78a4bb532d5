//! Scenarios by file or by name, and `doorbuster scenarios`.
//!
//! | module | what it does |
//! |---|---|
//! | [`new`] | writes one to start from |
//! | [`list`] | names those that ship |
//! | [`plan`] | says what one comes to |

mod list;
mod new;
mod plan;

pub(crate) use plan::limits_of;

use std::path::Path;

use anyhow::{Context as _, bail};
use loadgen::scenario::{self, SHIPPED, ScenarioError, ScenarioFile};

use crate::cli::ScenariosCommand;
use crate::exit::Outcome;
use crate::say;
use crate::settings::PhaseSettings;

/// A scenario with what it says about its shops.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub file: ScenarioFile,
    /// One per phase, in their order.
    pub settings: Vec<PhaseSettings>,
}

/// Loads a scenario that ships, or a file.
///
/// # Errors
/// There is no such file, or it has mistakes: the error names all of them, each on its line.
pub fn load(scenario: &str) -> anyhow::Result<Loaded> {
    check(scenario)?.map_err(|errors| {
        let count = errors.len();
        let lines = errors.iter().map(|error| format!("\n  {error}")).collect::<String>();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        anyhow::anyhow!("{scenario}: {count} {noun}{lines}")
    })
}

/// The mistakes within, or why there is nothing to read without.
fn check(scenario: &str) -> anyhow::Result<Result<Loaded, Vec<ScenarioError>>> {
    let read = match find(scenario)? {
        Found::File(path) => scenario::load(path),
        Found::Shipped(text) => scenario::parse(text),
    };
    Ok(read.and_then(with_settings))
}

fn with_settings(file: ScenarioFile) -> Result<Loaded, Vec<ScenarioError>> {
    let mut settings = Vec::new();
    let mut errors = Vec::new();
    for phase in &file.phases {
        match PhaseSettings::read(phase) {
            Ok(read) => settings.push(read),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(Loaded { file, settings }) } else { Err(errors) }
}

enum Found<'a> {
    File(&'a Path),
    Shipped(&'static str),
}

/// A file wins over a scenario that ships under the same name, so that a copy can be edited.
fn find(scenario: &str) -> anyhow::Result<Found<'_>> {
    let path = Path::new(scenario);
    if path.is_file() {
        return Ok(Found::File(path));
    }
    if let Some(text) = scenario::shipped(scenario) {
        return Ok(Found::Shipped(text));
    }
    let names = SHIPPED.map(|(name, _)| name).join(", ");
    bail!("there is no file {scenario:?}, and no such scenario ships: there are {names}")
}

/// `doorbuster scenarios`.
///
/// # Errors
/// As [`load`]; a file that `new` would have to overwrite.
pub fn scenarios(command: &ScenariosCommand) -> anyhow::Result<Outcome> {
    match command {
        ScenariosCommand::New { name, kind, folder } => new::new(name, kind, folder)?,
        ScenariosCommand::List => list::list()?,
        ScenariosCommand::Check { scenarios } => check_all(scenarios)?,
        ScenariosCommand::Show { scenario, plan: false, .. } => say::text(text(scenario)?),
        ScenariosCommand::Show { scenario, plan: true, shards } => {
            say::text(plan::plan(&load(scenario)?, *shards)?);
        }
    }
    Ok(Outcome::Done)
}

/// Every file is looked at, whatever is wrong with those before it.
fn check_all(scenarios: &[String]) -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    for name in scenarios {
        match load(name) {
            Ok(loaded) => {
                let phases = loaded.file.phases.len();
                let noun = if phases == 1 { "phase" } else { "phases" };
                say::line(format_args!("{name}: good, {phases} {noun}"));
            }
            Err(error) => mistakes.push(format!("{error:#}")),
        }
    }
    if mistakes.is_empty() { Ok(()) } else { bail!("{}", mistakes.join("\n")) }
}

/// The file as it stands.
fn text(scenario: &str) -> anyhow::Result<String> {
    match find(scenario)? {
        Found::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {scenario}"))
        }
        Found::Shipped(text) => Ok(text.to_owned()),
    }
}
