//! What the command line or the environment say about a scenario, over what its file says.
//!
//! | given | the only scenario of the file gets |
//! |---|---|
//! | `iterations` | `shared-iterations` with `vus`; `duration` becomes its `maxDuration` |
//! | `stages` | `ramping-vus`, starting with `vus` |
//! | `duration` and `vus` | `constant-vus` |
//! | `duration` alone | its own executor with this duration where that has one, else `constant-vus` |
//! | `vus` alone | its own executor with so many where that has a number of them, else `constant-vus`, which then needs a duration |
//!
//! As in k6, what is given replaces the executor. Unlike k6, which replaces all scenarios by one, this is refused
//! where a file has several: each is bound to a flow of its own, and which one would be meant?

use std::time::Duration;

use super::options::{self, StageNames};
use super::{Executor, Phase, ScenarioFile, Section, duration};

/// Nothing is changed by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    pub vus: Option<u32>,
    pub duration: Option<Duration>,
    pub iterations: Option<u64>,
    pub stages: Vec<StageOverride>,
    /// For every scenario, over what the file says.
    pub env: Vec<(String, String)>,
    /// On every sample of every scenario, over what the file says.
    pub tags: Vec<(String, String)>,
    pub no_thresholds: bool,
}

/// `30s:100`: in 30 seconds to 100 virtual users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageOverride {
    pub duration: Duration,
    pub target: u32,
}

impl std::str::FromStr for StageOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no stage: write DURATION:TARGET, like 30s:100");
        let (duration, target) = text.split_once(':').ok_or_else(wrong)?;
        let duration = duration::parse(duration.trim())?;
        Ok(Self { duration, target: target.trim().parse().map_err(|_| wrong())? })
    }
}

impl Overrides {
    /// Changes the file's scenarios and thresholds.
    ///
    /// # Errors
    /// Options that exclude each other, a file with several scenarios, or a threshold that speaks of a stage or a
    /// rate that is there no longer.
    pub fn apply(&self, file: &mut ScenarioFile) -> Result<(), String> {
        for phase in &mut file.phases {
            phase.env.extend(self.env.iter().cloned());
        }
        for scenario in file.phases.iter_mut().flat_map(|phase| &mut phase.scenarios) {
            scenario.env.extend(self.env.iter().cloned());
            scenario.tags.extend(self.tags.iter().cloned());
        }
        if self.no_thresholds {
            file.phases.iter_mut().for_each(|phase| phase.thresholds.clear());
        }
        let Some(option) = self.option() else { return Ok(()) };
        let phase = only_phase(file, option)?;
        let Some(scenario) = phase.scenarios.first_mut() else { return Ok(()) };
        let executor = self.executor(&scenario.executor)?;
        if executor.stages() != scenario.executor.stages() {
            scenario.stages.clear();
        }
        scenario.executor = executor;
        resolve(phase, option)
    }

    /// The option to name where the executor cannot be changed.
    fn option(&self) -> Option<&'static str> {
        let given = [
            ("--stage", !self.stages.is_empty()),
            ("--iterations", self.iterations.is_some()),
            ("--duration", self.duration.is_some()),
            ("--vus", self.vus.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    fn executor(&self, own: &Executor) -> Result<Executor, String> {
        let vus = self.vus.unwrap_or(1);
        match (self.stages.as_slice(), self.iterations, self.duration) {
            ([_, ..], Some(_), _) => Err("--stage and --iterations exclude each other".into()),
            ([_, ..], _, Some(_)) => Err("--stage and --duration exclude each other".into()),
            (stages @ [_, ..], None, None) => {
                let stage = |stage: &StageOverride| {
                    let StageOverride { duration, target } = stage;
                    format!("{{ duration = {:?}, target = {target} }}", duration::text(*duration))
                };
                let stages: Vec<_> = stages.iter().map(stage).collect();
                let stages = stages.join(", ");
                read(&format!("executor = \"ramping-vus\"\nstartVUs = {vus}\nstages = [{stages}]"))
            }
            ([], Some(iterations), most) => {
                let most = most.map(|most| format!("maxDuration = {:?}", duration::text(most)));
                let most = most.unwrap_or_default();
                read(&format!(
                    "executor = \"shared-iterations\"\nvus = {vus}\niterations = {iterations}\n{most}"
                ))
            }
            ([], None, Some(lasts)) => match with_duration(own, lasts) {
                Some(executor) if self.vus.is_none() => Ok(executor),
                _ => constant_vus(vus, lasts),
            },
            ([], None, None) => with_vus(own, vus).map_or_else(
                || Err(format!("a {} has no `vus`: give --duration as well", own.name())),
                Ok,
            ),
        }
    }
}

fn constant_vus(vus: u32, lasts: Duration) -> Result<Executor, String> {
    let lasts = duration::text(lasts);
    read(&format!("executor = \"constant-vus\"\nvus = {vus}\nduration = {lasts:?}"))
}

/// Through the reader of files, so that the same rules hold.
fn read(text: &str) -> Result<Executor, String> {
    let section = Section::parse(text).map_err(|_| "an option cannot be read".to_owned())?;
    let executor = section.read(|reader| options::executor(reader, &mut StageNames::new()));
    let message = |error: &super::ScenarioError| format!("{}: {}", error.field, error.message);
    executor
        .map_err(|errors| errors.iter().map(message).collect::<Vec<_>>().join("; "))?
        .ok_or_else(|| "an option cannot be read".to_owned())
}

fn with_duration(own: &Executor, lasts: Duration) -> Option<Executor> {
    let mut executor = own.clone();
    match &mut executor {
        Executor::ConstantArrivalRate { duration, .. } | Executor::ConstantVus { duration, .. }
            if !lasts.is_zero() =>
        {
            *duration = lasts;
        }
        _ => return None,
    }
    Some(executor)
}

fn with_vus(own: &Executor, count: u32) -> Option<Executor> {
    let mut executor = own.clone();
    match &mut executor {
        Executor::ConstantVus { vus, .. } | Executor::PerVuIterations { vus, .. } if count > 0 => {
            *vus = count;
        }
        _ => return None,
    }
    Some(executor)
}

/// The phase of the only scenario that there is.
fn only_phase<'a>(file: &'a mut ScenarioFile, option: &str) -> Result<&'a mut Phase, String> {
    let scenarios = || file.phases.iter().flat_map(|phase| &phase.scenarios);
    if scenarios().count() > 1 {
        let names: Vec<_> = scenarios().map(|scenario| scenario.name.as_str()).collect();
        return Err(format!(
            "{option} is for a file with one scenario, and {} has {} ({}): use --scale, or write a file with the one \
             that you mean (`include` takes the rest)",
            file.name,
            names.len(),
            names.join(", "),
        ));
    }
    let with = file.phases.iter_mut().find(|phase| !phase.scenarios.is_empty());
    with.ok_or_else(|| format!("{} has no scenario", file.name))
}

fn resolve(phase: &mut Phase, option: &str) -> Result<(), String> {
    for threshold in &mut phase.thresholds {
        threshold.resolve(&phase.scenarios).map_err(|error| {
            format!(
                "with {option}, the threshold `{}: {}` cannot be judged ({error}): add --no-thresholds, or change it",
                threshold.selector(),
                threshold.expression,
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const ONE: &str = r#"
name = "one"
env = { HOST = "file" }
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 30
duration = "1m"
preAllocatedVUs = 10
tags = { kind = "file", own = "file" }
[thresholds]
"http_reqs" = ["rate>1"]
"#;

    fn changed(text: &str, overrides: &Overrides) -> Result<ScenarioFile, String> {
        let mut file = parse(text).map_err(|errors| format!("{errors:?}"))?;
        overrides.apply(&mut file).map(|()| file)
    }

    fn executor(overrides: Overrides) -> Result<Executor, String> {
        changed(ONE, &overrides).map(|file| file.phases[0].scenarios[0].executor.clone())
    }

    const fn s(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_given_replaces_the_executor() {
        let none = Overrides::default;
        let stages = vec!["30s:100".parse().unwrap(), "1m30s:0".parse().unwrap()];
        let Ok(Executor::RampingVus { start_vus: 7, stages, .. }) =
            executor(Overrides { vus: Some(7), stages, ..none() })
        else {
            panic!("no ramping-vus")
        };
        assert_eq!((stages[1].duration, stages[1].target), (Duration::from_secs(90), 0.0));
        let both = executor(Overrides { vus: Some(7), duration: s(9), ..none() });
        assert_eq!(both, Ok(Executor::ConstantVus { vus: 7, duration: Duration::from_secs(9) }));
        let Ok(Executor::ConstantArrivalRate { rate: 30.0, duration, .. }) =
            executor(Overrides { duration: s(9), ..none() })
        else {
            panic!("no rate")
        };
        assert_eq!(Some(duration), s(9));
        let shared = Executor::SharedIterations {
            vus: 2,
            iterations: 9,
            max_duration: Duration::from_secs(5),
        };
        assert_eq!(
            executor(Overrides { vus: Some(2), iterations: Some(9), duration: s(5), ..none() }),
            Ok(shared)
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let none = Overrides::default;
        let stages: Vec<StageOverride> = vec!["1s:1".parse().unwrap()];
        for (overrides, told) in [
            (Overrides { vus: Some(5), ..none() }, "give --duration as well"),
            (Overrides { stages: stages.clone(), duration: s(1), ..none() }, "exclude each other"),
            (
                Overrides { stages: stages.clone(), iterations: Some(1), ..none() },
                "exclude each other",
            ),
            (Overrides { vus: Some(0), duration: s(1), ..none() }, "vus: must lie between 1"),
            (
                Overrides { vus: Some(9), iterations: Some(3), ..none() },
                "iterations: must not be fewer",
            ),
            (Overrides { duration: s(0), ..none() }, "duration: must be longer than nothing"),
        ] {
            let error = executor(overrides.clone()).unwrap_err();
            assert!(error.contains(told), "{overrides:?}: {error}");
        }
        let two = format!(
            "{ONE}\n[scenarios.more]\nexecutor = \"constant-vus\"\nexec = \"check-status\"\nduration = \"1s\""
        );
        let error = changed(&two, &Overrides { stages: stages.clone(), ..none() }).unwrap_err();
        assert!(error.contains("orders, more"), "{error}");
        let planned = ONE.replace("http_reqs\" = [\"rate>1\"]", "iterations\" = [\"rate>=99%\"]");
        let error = changed(&planned, &Overrides { stages, ..none() }).unwrap_err();
        assert!(
            error.contains("`iterations: rate>=99%`") && error.contains("--no-thresholds"),
            "{error}"
        );
        for wrong in ["30s", "30:5", "30s:-1", "30s:x", ":"] {
            assert!(wrong.parse::<StageOverride>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn env_and_tags_win_over_the_file_and_thresholds_can_be_left_out() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let overrides = Overrides {
            env: vec![pair("HOST", "line")],
            tags: vec![pair("kind", "line"), pair("commit", "abc")],
            no_thresholds: true,
            ..Overrides::default()
        };
        let file = changed(ONE, &overrides).unwrap();
        let scenario = &file.phases[0].scenarios[0];
        assert_eq!(scenario.env["HOST"], "line");
        let tags: Vec<_> = scenario.tags.values().map(String::as_str).collect();
        assert_eq!(tags, ["abc", "line", "file"]);
        assert!(file.phases[0].thresholds.is_empty());
    }
}
