//! What the gate reads of a run's `summary.json`: the figures of each phase.
//!
//! The summary is read, not the saved run: the base may be of an older version, and only the summary's shape is
//! promised.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    P50,
    P95,
    P99,
    Throughput,
    Cpu,
}

impl Figure {
    pub const ALL: [Self; 5] = [Self::P50, Self::P95, Self::P99, Self::Throughput, Self::Cpu];

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Cpu => "CPU per unit of work",
        }
    }

    /// How much worse the head is than the base: the logarithm of the ratio, positive when it is worse.
    #[must_use]
    pub fn worsening(self, base: f64, head: f64) -> Option<f64> {
        let ratio = match self {
            Self::Throughput => base / head,
            _ => head / base,
        };
        (base > 0.0 && head > 0.0 && ratio.is_finite()).then(|| ratio.ln())
    }
}

/// The figures of one run: by phase and figure. What a phase does not have is left out.
pub type Figures = BTreeMap<(String, Figure), f64>;

/// Whose percentiles are judged: the first that a phase has.
const TIMED: [&str; 3] = ["http_req_duration", "kafka_latency", "iteration_duration"];
/// What is counted as work, likewise.
const WORK: [&str; 4] = ["orders_created", "http_reqs", "kafka_messages_received", "iterations"];
/// Processes that make the load: their CPU is not the system's.
const GENERATOR: [&str; 2] = ["load", "harness"];

/// Reads a summary.
#[must_use]
pub fn figures(summary: &Value) -> Figures {
    let mut figures = Figures::new();
    match summary["phases"].as_object() {
        Some(phases) => {
            for (name, phase) in phases {
                read(name, phase, &mut figures);
            }
        }
        None => read(summary["scenario"].as_str().unwrap_or("run"), summary, &mut figures),
    }
    figures
}

fn read(name: &str, phase: &Value, figures: &mut Figures) {
    let metrics = &phase["metrics"];
    let mut put = |figure, value: Option<f64>| {
        if let Some(value) = value.filter(|value| *value > 0.0) {
            figures.insert((name.to_owned(), figure), value);
        }
    };
    let has_samples =
        |metric: &&str| metrics[*metric]["count"].as_u64().is_some_and(|count| count > 0);
    if let Some(timed) = TIMED.iter().find(|metric| has_samples(metric)) {
        for (figure, key) in [(Figure::P50, "med"), (Figure::P95, "p(95)"), (Figure::P99, "p(99)")]
        {
            put(figure, metrics[*timed][key].as_f64());
        }
    }
    let Some(work) = WORK.iter().find(|metric| has_samples(metric)) else { return };
    put(Figure::Throughput, metrics[*work]["rate"].as_f64());
    let own = phase["processes"].as_object().into_iter().flatten();
    let own = own.filter(|(name, _)| !GENERATOR.iter().any(|prefix| name.starts_with(prefix)));
    let cpu: f64 = own.filter_map(|(_, process)| process["cpu_seconds"].as_f64()).sum();
    put(Figure::Cpu, metrics[*work]["count"].as_f64().map(|count| cpu / count));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_phase_has_the_figures_of_what_it_did() {
        let summary = json!({
            "scenario": "smoke",
            "phases": {
                "shop": {
                    "metrics": {
                        "http_req_duration": { "count": 10, "med": 2.0, "p(95)": 4.0, "p(99)": 8.0 },
                        "orders_created": { "count": 100, "rate": 50.0 },
                        "iterations": { "count": 500, "rate": 250.0 },
                    },
                    "processes": {
                        "order": { "cpu_seconds": 1.0 }, "broker": { "cpu_seconds": 1.5 },
                        "load-0": { "cpu_seconds": 9.0 }, "harness": { "cpu_seconds": 9.0 },
                    },
                },
                "kafka": { "metrics": { "kafka_latency": { "count": 3, "med": 1.0, "p(95)": 0.0 } } },
            },
        });
        let figures = figures(&summary);
        let of = |phase: &str, figure| figures.get(&(phase.to_owned(), figure)).copied();
        assert_eq!(of("shop", Figure::P99), Some(8.0));
        assert_eq!(of("shop", Figure::Throughput), Some(50.0));
        assert_eq!(of("shop", Figure::Cpu), Some(0.025));
        assert_eq!(of("kafka", Figure::P50), Some(1.0));
        assert_eq!(of("kafka", Figure::P95), None, "nothing took no time");
        assert_eq!(of("kafka", Figure::Cpu), None);
    }

    #[test]
    fn worse_is_positive_whichever_way_is_good() {
        assert!(Figure::P50.worsening(100.0, 110.0).unwrap() > 0.09);
        assert!(Figure::Throughput.worsening(100.0, 110.0).unwrap() < 0.0);
        assert_eq!(Figure::Cpu.worsening(0.0, 1.0), None);
    }
}
