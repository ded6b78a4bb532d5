//! Finds in the plan what a threshold speaks of: stages by their names, and the planned rate.

use std::collections::BTreeMap;

use super::planned::{PlannedRate, Stretch};
use super::{ParseError, Threshold};
use crate::metrics::{Kind, STAGE_TAG, builtin, names};
use crate::scenario::Scenario;
use crate::scenario::suggest::did_you_mean;

/// The tag of a scenario's samples that names it.
const SCENARIO_TAG: &str = "scenario";
/// Counted when a scenario tells its traffic, not when an iteration makes it.
const NOT_STAGED: [&str; 2] = [names::DATA_SENT, names::DATA_RECEIVED];

impl Threshold {
    /// Looks up in `scenarios` what the threshold needs of them.
    ///
    /// # Errors
    /// The stage or the planned rate does not exist, or the metric is not counted by stage.
    pub fn resolve(&mut self, scenarios: &[Scenario]) -> Result<(), ParseError> {
        let meant: Vec<&Scenario> =
            scenarios.iter().filter(|scenario| speaks_of(&self.tags, scenario)).collect();
        let spans = meant.iter().map(|scenario| scenario.span());
        self.within = spans.reduce(Stretch::join);
        if let Some(stage) = self.tags.get(STAGE_TAG) {
            let kind = builtin::find(&self.metric).map(|metric| metric.kind);
            if kind == Some(Kind::Gauge) || NOT_STAGED.contains(&self.metric.as_str()) {
                return Err(ParseError::NotStaged(self.metric.clone()));
            }
            let stages = || meant.iter().flat_map(|scenario| &scenario.stages);
            let named = stages().filter(|named| named.name == *stage);
            self.within = named.map(|named| named.span).reduce(Stretch::join);
            if self.within.is_none() {
                let mut hint = did_you_mean(stage, stages().map(|named| named.name.as_str()));
                if hint.is_empty() {
                    hint.push('.');
                }
                return Err(ParseError::Stage { stage: stage.clone(), hint });
            }
        }
        self.planned = PlannedRate::default();
        if self.expression.of_plan {
            self.planned = PlannedRate::of(meant.into_iter());
            let planned = self.within.map_or(0.0, |span| self.planned.arrivals(span));
            if planned <= 0.0 {
                return Err(ParseError::NoPlan);
            }
        }
        Ok(())
    }
}

/// Whether a scenario's samples can carry these tags.
fn speaks_of(tags: &BTreeMap<String, String>, scenario: &Scenario) -> bool {
    tags.iter().all(|(tag, value)| match tag.as_str() {
        SCENARIO_TAG => *value == scenario.name,
        // A tag that the scenario does not set is a request's, a check's or an error's.
        tag => scenario.tags.get(tag).is_none_or(|own| own == value),
    })
}
