//! Scenarios by file or by name, and `doorbuster scenarios`.

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
    let text = text(scenario)?;
    check(&text).map_err(|errors| {
        let count = errors.len();
        let lines = errors.iter().map(|error| format!("\n  {error}")).collect::<String>();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        anyhow::anyhow!("{scenario}: {count} {noun}{lines}")
    })
}

fn check(text: &str) -> Result<Loaded, Vec<ScenarioError>> {
    let file = scenario::parse(text)?;
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

/// A file wins over a scenario that ships under the same name, so that a copy can be edited.
fn text(scenario: &str) -> anyhow::Result<String> {
    let path = Path::new(scenario);
    if path.is_file() {
        return std::fs::read_to_string(path).with_context(|| format!("cannot read {scenario}"));
    }
    if let Some(text) = scenario::shipped(scenario) {
        return Ok(text.to_owned());
    }
    let names = SHIPPED.map(|(name, _)| name).join(", ");
    bail!("there is no file {scenario:?}, and no such scenario ships: there are {names}")
}

/// `doorbuster scenarios`.
///
/// # Errors
/// As [`load`].
pub fn scenarios(command: &ScenariosCommand) -> anyhow::Result<Outcome> {
    match command {
        ScenariosCommand::List => {
            for (name, _) in SHIPPED {
                let loaded = load(name)?;
                let phases: Vec<_> = loaded.file.phases.iter().map(|p| p.name.as_str()).collect();
                say::line(format_args!("{name:22} {}", loaded.file.description));
                if phases.len() > 1 {
                    say::line(format_args!("{:22} phases: {}", "", phases.join(", ")));
                }
            }
        }
        ScenariosCommand::Check { scenario } => {
            let loaded = load(scenario)?;
            say::line(format_args!("{scenario}: good, {} phase(s)", loaded.file.phases.len()));
        }
        ScenariosCommand::Show { scenario } => say::text(text(scenario)?),
    }
    Ok(Outcome::Done)
}
