//! Several segments of one test, run on several machines, as one run.
//!
//! Counters and histograms are added up, so that what comes out is exactly what one machine would have counted;
//! thresholds are judged anew on that. Each run says in its environment which segment it was: `segment: "2/4"`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use super::audit::Audit;
use super::{PhaseReport, ProcessUsage, RatePlan, RunReport, UsageLine, Verdict};
use crate::conductor::validity;
use crate::threshold::evaluate_all;

/// Violations that a merged audit tells of each check.
const MAX_EXAMPLES: usize = 20;

/// Why runs are not the segments of one test.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeRunsError {
    #[error("there is nothing to merge: name the folders of all segments")]
    Nothing,
    #[error("{run} is no segment but a whole test: run every part of the test with --segment I/N")]
    NoSegment { run: String },
    #[error("{run} says that it is segment {segment:?}, which is no I/N with I from 1 to N")]
    BadSegment { run: String, segment: String },
    #[error(
        "{first} is one of {expected} segments, {run} one of {got}: merge the segments of one test"
    )]
    OtherCount { first: String, expected: u32, run: String, got: u32 },
    #[error("{first} and {run} are both segment {segment}/{of}: their load overlaps")]
    Twice { first: String, run: String, segment: u32, of: u32 },
    #[error("segment {segment}/{of} is missing: what it measured would be left out")]
    Missing { segment: u32, of: u32 },
    #[error("{run} is not of the same test as {first}: {what}")]
    Different { first: String, run: String, what: String },
    #[error("{run}: {reason}")]
    Damaged { run: String, reason: String },
}

/// Merges the segments, each with what to call it in an error.
///
/// # Errors
/// They are not all the segments of one test, or one is there twice.
pub fn merge(mut runs: Vec<(String, RunReport)>) -> Result<RunReport, MergeRunsError> {
    check_segments(&mut runs)?;
    check_same_test(&runs)?;
    let (_, first) = runs.first().ok_or(MergeRunsError::Nothing)?;
    let mut phases = Vec::with_capacity(first.phases.len());
    for index in 0..first.phases.len() {
        phases.push(merge_phase(&runs, index)?);
    }
    Ok(RunReport {
        scenario: first.scenario.clone(),
        started_at: runs.iter().map(|(_, run)| run.started_at).min().unwrap_or(first.started_at),
        verdict: verdict(&runs, &phases),
        environment: environment(&runs),
        phases,
    })
}

/// Which of how many: `("2/4")` is `(2, 4)`.
fn segment(name: &str, run: &RunReport) -> Result<(u32, u32), MergeRunsError> {
    let text = match &run.environment["segment"] {
        Value::String(text) => text.clone(),
        _ => return Err(MergeRunsError::NoSegment { run: name.to_owned() }),
    };
    let read = text.split_once('/').and_then(|(index, of)| {
        let (index, of) = (index.trim().parse::<u32>().ok()?, of.trim().parse::<u32>().ok()?);
        (1..=of).contains(&index).then_some((index, of))
    });
    if read == Some((1, 1)) {
        return Err(MergeRunsError::NoSegment { run: name.to_owned() });
    }
    read.ok_or_else(|| MergeRunsError::BadSegment { run: name.to_owned(), segment: text })
}

/// Puts the runs into the order of their segments.
fn check_segments(runs: &mut Vec<(String, RunReport)>) -> Result<(), MergeRunsError> {
    let mut by_index: BTreeMap<u32, (String, RunReport)> = BTreeMap::new();
    let mut agreed: Option<(String, u32)> = None;
    for (name, run) in std::mem::take(runs) {
        let (index, of) = segment(&name, &run)?;
        match &agreed {
            Some((first, expected)) if *expected != of => {
                let (first, expected) = (first.clone(), *expected);
                return Err(MergeRunsError::OtherCount { first, expected, run: name, got: of });
            }
            Some(_) => {}
            None => agreed = Some((name.clone(), of)),
        }
        if let Some((first, _)) = by_index.get(&index) {
            let first = first.clone();
            return Err(MergeRunsError::Twice { first, run: name, segment: index, of });
        }
        by_index.insert(index, (name, run));
    }
    let (_, of) = agreed.ok_or(MergeRunsError::Nothing)?;
    if let Some(segment) = (1..=of).find(|index| !by_index.contains_key(index)) {
        return Err(MergeRunsError::Missing { segment, of });
    }
    *runs = by_index.into_values().collect();
    Ok(())
}

fn check_same_test(runs: &[(String, RunReport)]) -> Result<(), MergeRunsError> {
    let Some(((first_name, first), others)) = runs.split_first() else {
        return Err(MergeRunsError::Nothing);
    };
    for (name, run) in others {
        let different = |what: String| {
            let (first, run) = (first_name.clone(), name.clone());
            Err(MergeRunsError::Different { first, run, what })
        };
        if run.scenario != first.scenario {
            return different(format!("{:?} instead of {:?}", run.scenario, first.scenario));
        }
        let names = |run: &RunReport| {
            run.phases.iter().map(|phase| phase.name.clone()).collect::<Vec<_>>().join(", ")
        };
        if names(run) != names(first) {
            return different(format!("its phases are {}, not {}", names(run), names(first)));
        }
        for key in ["scale", "seed", "version"] {
            let (theirs, ours) = (&run.environment[key], &first.environment[key]);
            if theirs != ours {
                return different(format!("its {key} is {theirs}, not {ours}"));
            }
        }
    }
    Ok(())
}

fn merge_phase(runs: &[(String, RunReport)], index: usize) -> Result<PhaseReport, MergeRunsError> {
    let parts: Vec<(&String, &PhaseReport)> =
        runs.iter().filter_map(|(name, run)| Some((name, run.phases.get(index)?))).collect();
    let Some(((_, first), others)) = parts.split_first() else {
        return Err(MergeRunsError::Nothing);
    };
    let mut load = first.load.clone();
    for (name, other) in others {
        load.join(&other.load).map_err(|error| MergeRunsError::Damaged {
            run: (*name).clone(),
            reason: error.to_string(),
        })?;
    }
    let all = || parts.iter().map(|(_, phase)| *phase);
    let judged_over = all().map(|phase| phase.judged_over).max().unwrap_or_default();
    let thresholds: Vec<_> =
        first.thresholds.iter().map(|verdict| verdict.threshold.clone()).collect();
    let limit = first.validity.limit;
    // One that could not keep up spoils what the others measured at the same time.
    let mut validity = validity(&load, limit);
    if let Some((at, late)) = all().enumerate().find(|(_, phase)| !phase.validity.valid) {
        validity.valid = false;
        let reason = late.validity.reason.clone().unwrap_or_default();
        validity.reason = Some(format!("segment {}: {reason}", at + 1));
    }
    let mut disturbances: Vec<_> = all().flat_map(|phase| phase.disturbances.clone()).collect();
    disturbances.sort_by_key(|disturbance| disturbance.from);
    Ok(PhaseReport {
        name: first.name.clone(),
        started_at: all().map(|phase| phase.started_at).min().unwrap_or(first.started_at),
        duration: all().map(|phase| phase.duration).max().unwrap_or_default(),
        judged_over,
        plan: plan(&parts),
        thresholds: evaluate_all(&thresholds, &load, judged_over),
        load,
        validity,
        audit: audit(&parts),
        audit_lines: labelled(
            &parts,
            |phase| phase.audit_lines.clone(),
            |at, line| format!("{at}: {line}"),
        ),
        processes: labelled(
            &parts,
            |phase| phase.processes.clone(),
            |at, process: ProcessUsage| ProcessUsage {
                name: format!("{at} {}", process.name),
                ..process
            },
        ),
        usage: labelled(
            &parts,
            |phase| phase.usage.clone(),
            |at, line: UsageLine| UsageLine { name: format!("{at} {}", line.name), ..line },
        ),
        recovery: all().flat_map(|phase| phase.recovery.clone()).collect(),
        disturbances,
    })
}

/// What each segment says, told apart by its number.
fn labelled<T>(
    parts: &[(&String, &PhaseReport)],
    of: impl Fn(&PhaseReport) -> Vec<T>,
    label: impl Fn(usize, T) -> T,
) -> Vec<T> {
    let numbered = parts.iter().enumerate();
    numbered
        .flat_map(|(at, (_, phase))| {
            of(phase).into_iter().map(|one| label(at + 1, one)).collect::<Vec<_>>()
        })
        .collect()
}

/// The segments' plans, added up wherever one of them has a corner.
fn plan(parts: &[(&String, &PhaseReport)]) -> RatePlan {
    let plans = || parts.iter().map(|(_, phase)| &phase.plan);
    let mut corners: Vec<f64> =
        plans().flat_map(|plan| plan.points.iter().map(|point| point.0)).collect();
    corners.sort_by(f64::total_cmp);
    corners.dedup();
    let sum = |at: f64| (at, plans().map(|plan| plan.at(at)).sum());
    let metric = plans().next().map(|plan| plan.metric.clone()).unwrap_or_default();
    RatePlan::new(&metric, &corners.into_iter().map(sum).collect::<Vec<_>>())
}

/// The segments' audits: a check has passed when it has in every one.
fn audit(parts: &[(&String, &PhaseReport)]) -> Value {
    let mut merged: Option<Audit> = None;
    for audit in parts.iter().filter_map(|(_, phase)| Audit::read(&phase.audit)) {
        match &mut merged {
            None => merged = Some(audit),
            Some(sum) => sum.add(audit, MAX_EXAMPLES),
        }
    }
    merged.and_then(|audit| serde_json::to_value(audit).ok()).unwrap_or(Value::Null)
}

/// What all say alike stands as it is, the rest by segment.
fn environment(runs: &[(String, RunReport)]) -> Value {
    let Some((_, first)) = runs.first() else { return Value::Null };
    let mut merged = first.environment.clone();
    let Some(object) = merged.as_object_mut() else { return merged };
    for (key, value) in object.iter_mut() {
        let all: Vec<&Value> = runs.iter().map(|(_, run)| &run.environment[key.as_str()]).collect();
        if all.iter().any(|other| *other != &*value) {
            *value = json!(all);
        }
    }
    object.insert("segment".into(), Value::Null);
    object.insert("segments".into(), json!(runs.len()));
    merged
}

fn verdict(runs: &[(String, RunReport)], phases: &[PhaseReport]) -> Verdict {
    let crossed = |phase: &PhaseReport| phase.thresholds.iter().any(|verdict| !verdict.ok);
    let mut verdict = Verdict::Pass;
    if phases.iter().any(crossed) {
        verdict = verdict.max(Verdict::ThresholdCrossed);
    }
    if phases.iter().any(|phase| !phase.validity.valid) {
        verdict = verdict.max(Verdict::Invalid);
    }
    // What no threshold judges stays as it was: an interrupted segment, a violation in an audit.
    let kept = [Verdict::Interrupted, Verdict::AuditViolation];
    runs.iter()
        .map(|(_, run)| run.verdict)
        .filter(|own| kept.contains(own))
        .fold(verdict, Verdict::max)
}

/// How far apart the segments began: a load of one time is what they are only when they ran together.
#[must_use]
pub fn skew(runs: &[(String, RunReport)]) -> Duration {
    let starts =
        || runs.iter().filter_map(|(_, run)| run.phases.first()).map(|phase| phase.started_at);
    match (starts().min(), starts().max()) {
        (Some(first), Some(last)) => (last - first).to_std().unwrap_or_default(),
        _ => Duration::ZERO,
    }
}
