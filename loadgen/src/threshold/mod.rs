//! Thresholds in k6's syntax: what a run must achieve to pass.
//!
//! | beside k6's | means |
//! |---|---|
//! | `p(95)[30s]<200` | holds in every full window of 30 s |
//! | `http_req_duration{stage:peak}` | the samples of iterations that were due in that stage |
//! | `rate>=99%` | of the planned rate (`iterations`), or a share (`checks`) |
//!
//! Unlike k6, a threshold on a metric without samples fails and says so: a typo or a flow that
//! never ran must not look like success. A counter that was registered and stayed at 0 is data.

mod evaluate;
mod parse;
mod planned;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use evaluate::{evaluate, evaluate_all};
pub use parse::{parse, parse_metric};
pub use planned::{PlannedRate, Stretch};

use crate::course::Change;
pub use crate::metrics::Aggregation;
use crate::metrics::{Kind, STAGE_TAG, TrackKey, names};
use crate::scenario::duration;

/// One threshold: `metric{tags}: expression`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    pub metric: String,
    /// Only series that carry all of these tags count.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub expression: Expression,
    /// Stop the run when it is crossed, instead of judging at the end.
    #[serde(default)]
    pub abort_on_fail: bool,
    /// How long after the start `abort_on_fail` takes effect.
    #[serde(default)]
    pub delay_abort_eval: Duration,
    /// Without any sample it counts as met.
    #[serde(default)]
    pub no_data_passes: bool,
    /// The time of the stage, or of the scenarios, that it is about.
    #[serde(default)]
    pub within: Option<Stretch>,
    /// Where the limit is a share of it.
    #[serde(default)]
    pub planned: PlannedRate,
}

impl Threshold {
    /// From a table key such as `http_req_duration{name:order}` and an expression. What it needs to know of
    /// the plan comes with [`Self::resolve`].
    ///
    /// # Errors
    /// When either cannot be parsed, or the metric is built in and lacks the aggregation.
    pub fn new(selector: &str, expression: &str) -> Result<Self, ParseError> {
        let (metric, tags) = parse_metric(selector)?;
        let mut expression = parse(expression)?;
        if let Some(builtin) = crate::metrics::builtin::find(&metric) {
            expression.check_kind(builtin.kind)?;
            if expression.of_plan && builtin.kind == Kind::Rate {
                // A share is a share: `rate>=99%` is `rate>=0.99`.
                expression.of_plan = false;
                expression.limit /= 100.0;
            }
        }
        if expression.of_plan && metric != names::ITERATIONS {
            return Err(ParseError::Percent(metric));
        }
        Ok(Self {
            metric,
            tags,
            expression,
            abort_on_fail: false,
            delay_abort_eval: Duration::ZERO,
            no_data_passes: false,
            within: None,
            planned: PlannedRate::default(),
        })
    }

    /// Whether it judges one stage only.
    pub(crate) fn is_of_stage(&self) -> bool {
        self.tags.contains_key(STAGE_TAG)
    }

    /// What a load must follow from its start for this to be judged.
    #[must_use]
    pub fn track(&self) -> Option<TrackKey> {
        let window = self.expression.window?;
        let (metric, tags) = (self.metric.clone(), self.tags.clone());
        Some(TrackKey { metric, tags, aggregation: self.expression.aggregation, window })
    }

    /// The metric with its tags as they are written in a scenario: `http_reqs{name:order}`.
    #[must_use]
    pub fn selector(&self) -> String {
        if self.tags.is_empty() {
            return self.metric.clone();
        }
        let tags: Vec<String> =
            self.tags.iter().map(|(key, value)| format!("{key}:{}", quoted(value))).collect();
        format!("{}{{{}}}", self.metric, tags.join(","))
    }
}

/// Lets the planned rates go along with what somebody has done to the rate.
pub fn follow(thresholds: &mut [Threshold], changes: &[Change]) {
    thresholds.iter_mut().for_each(|threshold| threshold.planned.follow(changes));
}

/// A value that contains the grammar's own characters is written in quotes.
fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value.trim() == value
        && !value.contains([',', '{', '}', ':', '"', '\'']);
    if plain { value.to_owned() } else { format!("\"{value}\"") }
}

/// `aggregation operator limit`, for example `p(95)<200`. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    pub aggregation: Aggregation,
    /// It must hold in every full window of this length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    pub operator: Operator,
    pub limit: f64,
    /// The limit is a percentage of what was planned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_plan: bool,
}

impl Expression {
    /// Whether a metric of this kind knows the aggregation.
    ///
    /// # Errors
    /// Names the aggregations that the kind has.
    pub fn check_kind(&self, kind: Kind) -> Result<(), ParseError> {
        let aggregation = self.aggregation;
        if !aggregation.fits(kind) {
            return Err(ParseError::NotForKind { aggregation, kind });
        }
        if self.window.is_some() && kind == Kind::Gauge {
            return Err(ParseError::WindowOfGauge);
        }
        if self.of_plan && aggregation != Aggregation::Rate {
            return Err(ParseError::Limit(format!("{}%", self.limit)));
        }
        Ok(())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aggregation, window, operator, limit, of_plan } = self;
        write!(formatter, "{aggregation}")?;
        if let Some(window) = window {
            write!(formatter, "[{}]", duration::text(*window))?;
        }
        write!(formatter, "{operator}{limit}{}", if *of_plan { "%" } else { "" })
    }
}

/// How the number must stand to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = "==")]
    Equal,
    /// JavaScript's strict equality, the same as `==` between numbers.
    #[serde(rename = "===")]
    StrictEqual,
    #[serde(rename = "!=")]
    NotEqual,
}

impl Operator {
    /// Every operator; a longer one stands before its own beginning.
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("===", Self::StrictEqual),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    #[must_use]
    #[expect(clippy::float_cmp, reason = "a threshold that says == means exactly that")]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
            Self::Equal | Self::StrictEqual => value == limit,
            Self::NotEqual => value != limit,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Self::ALL.iter().find(|(_, operator)| operator == self);
        formatter.write_str(text.map_or("", |(text, _)| text))
    }
}

/// Why a threshold cannot be read.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParseError {
    #[error("unknown aggregation in `{0}`: use avg, min, med, max, p(N), count, rate or value")]
    Aggregation(String),
    #[error("a percentile lies between 0 and 100, not `{0}`")]
    Percentile(String),
    #[error("`{0}` has no operator: use <, <=, >, >=, ==, === or !=")]
    Operator(String),
    #[error("the limit `{0}` is no number")]
    Limit(String),
    #[error("a {kind} has no `{aggregation}`: use {}", aggregations_of(*kind))]
    NotForKind { aggregation: Aggregation, kind: Kind },
    #[error("`[{0}]` is no window: write whole seconds, from [1s] to [1h]")]
    Window(String),
    #[error("a window cannot be judged with !=: use <, <=, >, >= or ==")]
    WindowNot,
    #[error("a gauge has no windows: judge its `max` or `min` over the whole load")]
    WindowOfGauge,
    #[error(
        "{0} has no planned rate, so its limit cannot be a percentage: only `iterations` has one"
    )]
    Percent(String),
    #[error(
        "no planned rate: only scenarios with an arrival rate have one, and none is meant here"
    )]
    NoPlan,
    #[error("there is no stage {stage:?} here{hint} Stages get their names by `name` in `stages`")]
    Stage { stage: String, hint: String },
    #[error("{0} is not counted by stage: judge it over the whole load")]
    NotStaged(String),
    #[error("`{0}` is no metric with tags: write name or name{{tag:value,tag2:value2}}")]
    Selector(String),
}

fn aggregations_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "count or rate",
        Kind::Gauge => "value, min or max",
        Kind::Rate => "rate",
        Kind::Trend => "avg, min, med, max, p(N) or count",
    }
}

/// How a threshold stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdVerdict {
    pub threshold: Threshold,
    /// The aggregated value; `None` when there is no data.
    pub value: Option<f64>,
    pub ok: bool,
    /// How far the value is on the good side of the limit, in the value's unit; negative when
    /// crossed. `None` without data and for `!=`, which has no good side.
    pub margin: Option<f64>,
    pub no_data: bool,
    /// Of a sliding window, the one that has `value`: the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Stretch>,
    /// The run must stop now: crossed, `abort_on_fail`, and past its delay.
    pub abort: bool,
}
