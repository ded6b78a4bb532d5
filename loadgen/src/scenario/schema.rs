//! What stands in a scenario file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::options;
use super::options::StageNames;
use super::reader::{Item, TableReader};
use super::suggest::did_you_mean;
use super::{Executor, Extra, NamedStage, Phase, Scenario, ScenarioFile};
use crate::flow::{Flow, HttpParams};
use crate::metrics::builtin;
use crate::threshold::{Stretch, Threshold};

/// k6's default.
const GRACEFUL_STOP: Duration = Duration::from_secs(30);
/// Where the generator was too slow to be believed.
const SEND_LAG_LIMIT: Duration = Duration::from_millis(10);

pub(super) fn file(reader: &mut TableReader<'_>) -> ScenarioFile {
    let name: String = reader.required("name");
    reader.ensure("name", is_plain(&name), PLAIN);
    let description = reader.or("description", String::new());
    let phases = if reader.has("phases") {
        let shared = env(reader, &Env::new());
        let phases = reader.tables("phases", |reader| {
            let name: String = reader.required("name");
            reader.ensure("name", is_plain(&name), PLAIN);
            phase(reader, name, &shared)
        });
        refuse_twins(reader, &phases);
        phases
    } else {
        vec![phase(reader, name.clone(), &Env::new())]
    };
    ScenarioFile { name, description, phases }
}

/// Names become names of folders.
const PLAIN: &str = "must be letters, digits, `-` or `_`";

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn refuse_twins(reader: &mut TableReader<'_>, phases: &[Phase]) {
    reader.ensure("phases", !phases.is_empty(), "must name at least one phase");
    for (index, phase) in phases.iter().enumerate() {
        if phases[..index].iter().any(|other| other.name == phase.name) {
            reader.reject("phases", format!("two phases are named {:?}", phase.name));
        }
    }
}

type Env = BTreeMap<String, String>;

/// `env` of this table, and of `outer` what it does not name itself.
fn env(reader: &mut TableReader<'_>, outer: &Env) -> Env {
    let own = reader.or::<Vec<(String, String)>>("env", Vec::new());
    let mut env = outer.clone();
    env.extend(own);
    env
}

fn phase(reader: &mut TableReader<'_>, name: String, outer: &Env) -> Phase {
    let extra = Extra { shop: reader.section("shop"), chaos: reader.section("chaos") };
    let send_lag_limit = reader.or("sendLagLimit", SEND_LAG_LIMIT);
    let shared = env(reader, outer);
    let setup = reader.table("setup", |reader| HttpParams::read(reader, &[]));
    let given: Vec<String> = setup.iter().flat_map(HttpParams::captured).map(Into::into).collect();
    let scenarios: Vec<_> =
        reader.named_tables("scenarios", |name, reader| scenario(name, reader, &shared, &given));
    let teardown = reader.table("teardown", |reader| HttpParams::read(reader, &given));
    if !reader.has("scenarios") {
        reader.reject("scenarios", "is missing: a phase needs at least one scenario".into());
    }
    // What a broken scenario would have named is unknown: one mistake is enough.
    let whole: Option<Vec<Scenario>> = scenarios.iter().cloned().collect();
    let scenarios = scenarios.into_iter().flatten().collect();
    let thresholds = reader.named_lists("thresholds", |selector, item| {
        let mut threshold = threshold(selector, item)?;
        if let Some(scenarios) = &whole {
            threshold.resolve(scenarios).map_err(|error| error.to_string())?;
        }
        Ok(threshold)
    });
    Phase { name, scenarios, thresholds, setup, teardown, env: shared, send_lag_limit, extra }
}

fn scenario(
    name: &str,
    reader: &mut TableReader<'_>,
    shared: &Env,
    given: &[String],
) -> Option<Scenario> {
    let mut names = StageNames::new();
    let executor = options::executor(reader, &mut names);
    let flow = Flow::read(reader, given);
    let tags = reader.or::<Vec<(String, String)>>("tags", Vec::new());
    let env = env(reader, shared);
    let start_time = reader.or("startTime", Duration::ZERO);
    let graceful_stop = reader.or("gracefulStop", GRACEFUL_STOP);
    let executor = executor?;
    let stages = named_stages(&executor, start_time, names);
    Some(Scenario {
        name: name.to_owned(),
        executor,
        stages,
        flow: flow?,
        start_time,
        graceful_stop,
        tags: tags.into_iter().collect(),
        env,
    })
}

fn named_stages(executor: &Executor, start: Duration, names: StageNames) -> Vec<NamedStage> {
    let mut from = start;
    let mut named = Vec::new();
    for (stage, name) in executor.stages().iter().zip(names) {
        let span = Stretch { from, to: from + stage.duration };
        named.extend(name.map(|name| NamedStage { name, span }));
        from = span.to;
    }
    named
}

fn threshold(selector: &str, item: Item<'_>) -> Result<Threshold, String> {
    let metric = selector.split('{').next().unwrap_or_default();
    if builtin::find(metric).is_none() {
        let hint = did_you_mean(metric, builtin::METRICS.iter().map(|metric| metric.name));
        return Err(format!("there is no metric {metric:?}{hint}"));
    }
    let threshold = Threshold::new(selector, &item.text).map_err(|error| error.to_string())?;
    let Item { abort_on_fail, delay_abort_eval, no_data_passes, .. } = item;
    Ok(Threshold { abort_on_fail, delay_abort_eval, no_data_passes, ..threshold })
}
