//! Thresholds in k6's syntax: what a run must achieve to pass.
//!
//! Unlike k6, a threshold on a metric without samples fails and says so: a typo or a flow that
//! never ran must not look like success. A counter that was registered and stayed at 0 is data.

mod evaluate;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use evaluate::{evaluate, evaluate_all};
pub use parse::{parse, parse_metric};

use crate::metrics::Kind;

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
}

impl Threshold {
    /// From a table key such as `http_req_duration{name:order}` and an expression.
    ///
    /// # Errors
    /// When either cannot be parsed, or the metric is built in and lacks the aggregation.
    pub fn new(selector: &str, expression: &str) -> Result<Self, ParseError> {
        let (metric, tags) = parse_metric(selector)?;
        let expression = parse(expression)?;
        if let Some(builtin) = crate::metrics::builtin::find(&metric) {
            expression.check_kind(builtin.kind)?;
        }
        let delay_abort_eval = Duration::ZERO;
        Ok(Self { metric, tags, expression, abort_on_fail: false, delay_abort_eval })
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
    pub operator: Operator,
    pub limit: f64,
}

impl Expression {
    /// Whether a metric of this kind knows the aggregation.
    ///
    /// # Errors
    /// Names the aggregations that the kind has.
    pub fn check_kind(&self, kind: Kind) -> Result<(), ParseError> {
        use Aggregation::{Avg, Count, Max, Med, Min, Percentile, Rate, Value};
        let known = match kind {
            Kind::Counter => matches!(self.aggregation, Count | Rate),
            Kind::Gauge => matches!(self.aggregation, Value | Min | Max),
            Kind::Rate => matches!(self.aggregation, Rate),
            Kind::Trend => {
                matches!(self.aggregation, Avg | Min | Max | Med | Percentile(_) | Count)
            }
        };
        let aggregation = self.aggregation;
        if known { Ok(()) } else { Err(ParseError::NotForKind { aggregation, kind }) }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}{}", self.aggregation, self.operator, self.limit)
    }
}

/// How many samples become one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    Avg,
    Min,
    Max,
    Med,
    /// 0 to 100.
    Percentile(f64),
    Count,
    /// Of a counter: per second of the load's duration. Of a rate: the share (0 to 1).
    Rate,
    Value,
}

impl fmt::Display for Aggregation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => formatter.write_str("avg"),
            Self::Min => formatter.write_str("min"),
            Self::Max => formatter.write_str("max"),
            Self::Med => formatter.write_str("med"),
            Self::Percentile(percentile) => write!(formatter, "p({percentile})"),
            Self::Count => formatter.write_str("count"),
            Self::Rate => formatter.write_str("rate"),
            Self::Value => formatter.write_str("value"),
        }
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
    /// The run must stop now: crossed, `abort_on_fail`, and past its delay.
    pub abort: bool,
}
