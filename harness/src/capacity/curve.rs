//! What the attempts measured, as a table with a curve, as JSON and as CSV.

use std::fmt::Write as _;
use std::time::Duration;

use loadgen::metrics::{LoadState, names};
use loadgen::report::{PhaseReport, Verdict};
use serde::Serialize;

/// Cells of the longest bar.
const BAR: f64 = 30.0;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Per second, as planned.
    pub rate: u64,
    /// Iterations that were started, per second.
    pub achieved: f64,
    pub verdict: Verdict,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// The share of requests that failed.
    pub errors: f64,
    /// Of all processes together, in seconds for every second of load.
    pub cores: f64,
    pub send_lag_p99_ms: f64,
    /// The thresholds that did not hold.
    pub crossed: Vec<String>,
}

impl Point {
    /// `lasted` is the time over which the load was planned.
    #[must_use]
    pub fn of(rate: u64, lasted: Duration, report: &PhaseReport, verdict: Verdict) -> Self {
        let load = &report.load;
        let order = [("name", "order")];
        // Where orders are placed, theirs are the times that count.
        let placed = !load.trend(names::HTTP_REQ_DURATION, &order).is_empty();
        let times = load.trend(names::HTTP_REQ_DURATION, if placed { &order } else { &[] });
        let seconds = lasted.as_secs_f64().max(f64::MIN_POSITIVE);
        let cpu: f64 = report.processes.iter().map(|process| process.cpu_seconds).sum();
        let crossed = report.thresholds.iter().filter(|threshold| !threshold.ok);
        Self {
            rate,
            achieved: started(load) / seconds,
            verdict,
            p50_ms: times.percentile_ms(50.0),
            p95_ms: times.percentile_ms(95.0),
            p99_ms: times.percentile_ms(99.0),
            errors: load.rate(names::HTTP_REQ_FAILED, &[]).share(),
            cores: cpu / report.duration.as_secs_f64().max(f64::MIN_POSITIVE),
            send_lag_p99_ms: report.validity.send_lag_p99.as_secs_f64() * 1000.0,
            crossed: crossed
                .map(|verdict| {
                    format!("{}: {}", verdict.threshold.selector(), verdict.threshold.expression)
                })
                .collect(),
        }
    }
}

/// By the clock: what closed models run beside it is not what is searched.
#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn started(load: &LoadState) -> f64 {
    load.trend(names::SEND_LAG, &[]).count() as f64
}

const HEAD: &str = "    rate  achieved      p50       p95       p99   failed  cores  send lag  verdict              p95";

/// The table's head.
#[must_use]
pub fn head() -> &'static str {
    HEAD
}

/// A point as a line of the table. `longest_ms` is the p95 of the longest bar.
#[must_use]
pub fn line(point: &Point, longest_ms: f64) -> String {
    let Point { rate, achieved, p50_ms, p95_ms, p99_ms, cores, send_lag_p99_ms, .. } = point;
    let cells = (p95_ms / longest_ms.max(f64::MIN_POSITIVE) * BAR).clamp(0.0, BAR).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 30")]
    let bar = "█".repeat((cells as usize).max(1));
    format!(
        "{rate:>7}/s {achieved:>7.0}/s {p50_ms:>5.1} ms {p95_ms:>6.1} ms {p99_ms:>6.1} ms {:>6.2} % {cores:>6.2} {send_lag_p99_ms:>6.2} ms  {:19}  {bar}",
        point.errors * 100.0,
        point.verdict.label(),
    )
}

/// All points from the lowest rate to the highest, as a table with a curve.
#[must_use]
pub fn text(points: &[Point]) -> String {
    let longest = points.iter().map(|point| point.p95_ms).fold(0.0, f64::max);
    let mut text = format!("{HEAD}\n");
    for point in sorted(points) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}", line(point, longest));
        for crossed in &point.crossed {
            let _ = writeln!(text, "{:>12}✗ {crossed}", "");
        }
    }
    text
}

/// Likewise, a row for each attempt.
#[must_use]
pub fn csv(points: &[Point]) -> String {
    let mut text =
        "rate,achieved,verdict,p50_ms,p95_ms,p99_ms,errors,cores,send_lag_p99_ms\n".to_owned();
    for point in sorted(points) {
        let Point {
            rate, achieved, p50_ms, p95_ms, p99_ms, errors, cores, send_lag_p99_ms, ..
        } = point;
        let verdict = point.verdict.label().to_lowercase().replace(' ', "-");
        let _ = writeln!(
            text,
            "{rate},{achieved:.1},{verdict},{p50_ms:.3},{p95_ms:.3},{p99_ms:.3},{errors:.6},{cores:.3},{send_lag_p99_ms:.3}"
        );
    }
    text
}

/// By rate; attempts at the same one in the order in which they were made.
fn sorted(points: &[Point]) -> Vec<&Point> {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by_key(|point| point.rate);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(rate: u64, p95_ms: f64, verdict: Verdict, crossed: &[&str]) -> Point {
        Point {
            rate,
            achieved: rate as f64,
            verdict,
            p50_ms: p95_ms / 3.0,
            p95_ms,
            p99_ms: p95_ms * 2.0,
            errors: 0.001,
            cores: 1.25,
            send_lag_p99_ms: 0.2,
            crossed: crossed.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn the_curve_goes_up_with_the_rate_whatever_the_order_of_the_attempts() {
        let points = [
            point(1000, 4.0, Verdict::Pass, &[]),
            point(4000, 300.0, Verdict::ThresholdCrossed, &["http_req_duration: p(95)<200"]),
            point(2000, 40.0, Verdict::Pass, &[]),
        ];
        let text = text(&points);
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}: {text}"));
        assert!(place("1000/s") < place("2000/s") && place("2000/s") < place("4000/s"));
        assert!(text.contains("✗ http_req_duration: p(95)<200"));
        let bars: Vec<_> = text.lines().map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [0, 1, 4, 30, 0]);
        let csv = csv(&points);
        assert_eq!(csv.lines().count(), 4);
        assert_eq!(
            csv.lines().nth(3).unwrap_or_default(),
            "4000,4000.0,threshold-crossed,100.000,300.000,600.000,0.001000,1.250,0.200"
        );
    }
}
