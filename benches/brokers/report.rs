//! The table: goal, both brokers, verdict.

use std::fmt;
use std::fs;

use serde::Serialize;

use crate::plan::Plan;
use benches::process;

/// What a row asks of the embedded broker.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtMost(f64),
    AboveKafka,
    AtMostKafkaTimes(f64),
}

/// A figure with the samples it is taken from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) samples: Vec<f64>,
}

impl Figure {
    pub(crate) fn median(samples: Vec<f64>) -> Self {
        Self { value: median(&samples), samples }
    }

    /// How far apart the figures are: the largest over the smallest.
    pub(crate) fn spread(samples: Vec<f64>) -> Self {
        let largest = samples.iter().copied().fold(f64::MIN, f64::max);
        let smallest = samples.iter().copied().fold(f64::MAX, f64::min);
        Self { value: largest / smallest, samples }
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Met,
    Missed,
    Skipped,
}

#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) doorbuster: Option<Figure>,
    pub(crate) kafka: Option<Figure>,
    /// What the figures are made of, or why there are none.
    pub(crate) note: String,
}

impl Row {
    /// A row whose figures come in the order of the brokers: ours, then Kafka if it is measured.
    pub(crate) fn new(what: &str, unit: &'static str, goal: Goal, figures: Vec<Figure>) -> Self {
        let mut figures = figures.into_iter();
        Self {
            what: what.to_owned(),
            unit,
            goal,
            doorbuster: figures.next(),
            kafka: figures.next(),
            note: String::new(),
        }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn limit(&self) -> Option<f64> {
        let kafka = self.kafka.as_ref().map(|figure| figure.value);
        match self.goal {
            Goal::AtMost(limit) => Some(limit),
            Goal::AboveKafka => kafka,
            Goal::AtMostKafkaTimes(share) => kafka.map(|kafka| kafka * share),
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let Some((ours, limit)) = self.doorbuster.as_ref().map(|ours| ours.value).zip(self.limit())
        else {
            return Verdict::Skipped;
        };
        let met = match self.goal {
            Goal::AboveKafka => ours > limit,
            Goal::AtMost(_) | Goal::AtMostKafkaTimes(_) => ours <= limit,
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::AtMost(limit) => format!("≤ {} {}", number(limit), self.unit),
            Goal::AboveKafka => "above Kafka's".to_owned(),
            Goal::AtMostKafkaTimes(share) => format!("≤ {share} × Kafka's"),
        }
    }

    fn cells(&self) -> [String; 6] {
        let figure = |figure: &Option<Figure>| match figure {
            Some(figure) => format!("{} {}", number(figure.value), self.unit),
            None => "–".to_owned(),
        };
        let verdict = match self.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::Skipped => "skipped",
        };
        [
            self.what.clone(),
            self.goal_text(),
            figure(&self.doorbuster),
            figure(&self.kafka),
            verdict.to_owned(),
            self.note.clone(),
        ]
    }
}

/// Three digits that matter.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    environment: Environment,
    rows: Vec<Row>,
}

/// Where the figures were taken: they are worth nothing elsewhere.
#[derive(Debug, Serialize)]
struct Environment {
    processor: String,
    cores: usize,
    kernel: String,
    java: &'static str,
    doorbuster: String,
    records: u64,
    rounds: usize,
}

impl Report {
    pub(crate) fn new(plan: &Plan) -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let environment = Environment {
            processor: process::processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.trim().to_owned(),
            java: plan.java.version(),
            doorbuster: plan.doorbuster.binary().display().to_string(),
            records: plan.records,
            rounds: plan.rounds,
        };
        Self { environment, rows: Vec::new() }
    }

    pub(crate) fn extend(&mut self, rows: Vec<Row>) {
        for row in &rows {
            eprintln!("  {}", row.cells().join(" | "));
        }
        self.rows.extend(rows);
    }

    pub(crate) fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.verdict() != Verdict::Missed)
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        let verdicts: Vec<Verdict> = self.rows.iter().map(Row::verdict).collect();
        let report = serde_json::json!({
            "environment": self.environment,
            "rows": self.rows,
            "verdicts": verdicts,
        });
        Ok(serde_json::to_string_pretty(&report)?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Environment { processor, cores, kernel, java, records, rounds, .. } = &self.environment;
        writeln!(out, "{processor}, {cores} cores, Linux {kernel}, {java}")?;
        writeln!(out, "{records} records a run, median of {rounds}\n")?;
        let titles = ["what", "goal", "doorbuster", "Kafka 4.1", "verdict", "made of"];
        let mut lines = vec![titles.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        for (at, cells) in lines.iter().enumerate() {
            let cells = cells.iter().zip(widths);
            let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(out, "| {} |", padded.join(" | "))?;
            if at == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
                writeln!(out, "|{}|", rules.join("|"))?;
            }
        }
        Ok(())
    }
}
