//! A phase's pictures: each is left out where there is nothing to see.

use std::time::Duration;

use super::chart::{Band, Chart, Line, Plot, Points};
use super::scale::{Scale, percentile_of};
use super::timeline::Timeline;
use crate::metrics::{LoadState, TrendTotal, names};
use crate::report::{Disturbance, DisturbanceKind, PhaseReport, figures};

/// The colours of the style sheet, for lines side by side.
const COLORS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
/// Request names with a picture of their own at most: those with the most samples.
const MAX_NAMES: usize = 6;
/// Points of a percentile plot.
const PERCENTILE_POINTS: u32 = 160;
/// More nines than any run has samples for.
const MAX_NINES: f64 = 6.0;

/// Every picture of a phase.
pub(super) fn charts(phase: &PhaseReport) -> Vec<Chart> {
    let time = OverTime { phase, timeline: Timeline::of(&phase.load), end_s: end_s(phase) };
    let mut plots = vec![time.rate()];
    let subjects = subjects(&phase.load);
    plots.extend(subjects.iter().map(|subject| time.latency(subject)));
    plots.extend([percentiles(&subjects), time.sockets(), time.virtual_users(), time.errors()]);
    plots.extend([time.send_lag(), time.iterations_beside()]);
    plots.into_iter().filter_map(Plot::draw).collect()
}

/// How long the horizontal axes are.
pub(super) fn end_s(phase: &PhaseReport) -> f64 {
    phase.duration.max(phase.load.elapsed()).as_secs_f64().max(1.0)
}

/// What is timed: a request by name, messages, an order's way.
struct Subject {
    label: String,
    metric: &'static str,
    name: Option<String>,
    trend: TrendTotal,
}

fn subjects(load: &LoadState) -> Vec<Subject> {
    let named = |name: String| {
        let metric = names::HTTP_REQ_DURATION;
        let trend = load.trend(metric, &[("name", &name)]);
        Subject { label: format!("response time: {name}"), metric, name: Some(name), trend }
    };
    let names = load.tag_values(names::HTTP_REQ_DURATION, "name");
    let mut subjects: Vec<Subject> = names.into_iter().map(named).collect();
    subjects.sort_by_key(|subject| std::cmp::Reverse(subject.trend.count()));
    subjects.truncate(MAX_NAMES);
    let whole = |(metric, label): (&'static str, &str)| {
        let trend = load.trend(metric, &[]);
        Subject { label: label.to_owned(), metric, name: None, trend }
    };
    if subjects.is_empty() {
        subjects.push(whole((names::HTTP_REQ_DURATION, "response time")));
    }
    let wholes = [
        (names::ORDER_SHIPPED, "order → shipped"),
        (names::ORDER_ENDED, "order → ended"),
        (names::KAFKA_LATENCY, "Kafka: produced → consumed"),
        (names::WS_CONNECTING, "WebSocket connecting"),
    ];
    subjects.extend(wholes.map(whole));
    subjects.retain(|subject| !subject.trend.is_empty());
    subjects
}

struct OverTime<'a> {
    phase: &'a PhaseReport,
    timeline: Timeline,
    end_s: f64,
}

impl OverTime<'_> {
    fn plot(&self, title: &str, note: &str, y: Scale, lines: Vec<Line>) -> Plot {
        let band = |one: &Disturbance| {
            let from = one.from.as_secs_f64();
            Band {
                class: match one.kind {
                    DisturbanceKind::Kill => "kill",
                    DisturbanceKind::Restart => "restart",
                    DisturbanceKind::Fault => "fault",
                },
                label: format!(
                    "{} of {} at {}",
                    one.kind.label(),
                    one.what,
                    figures::duration(one.from)
                ),
                from,
                to: one.until.map_or(self.end_s, |until| until.as_secs_f64()),
            }
        };
        Plot {
            title: title.to_owned(),
            note: note.to_owned(),
            x: Scale::Time { max: self.end_s },
            y,
            x_label: clock,
            y_label: figures::count,
            lines,
            bands: self.phase.disturbances.iter().map(band).collect(),
            gap: self.timeline.gap_s(),
        }
    }

    fn rate(&self) -> Plot {
        let plan = &self.phase.plan;
        let metric = if plan.metric.is_empty() { names::ITERATIONS } else { &plan.metric };
        let achieved = self.timeline.rate(metric);
        let values = achieved.iter().chain(&plan.points).map(|point| point.1);
        let y = Scale::linear(values);
        let mut lines = vec![Line { label: metric.to_owned(), class: "c0", points: achieved }];
        if !plan.points.is_empty() {
            lines.push(Line {
                label: "planned".into(),
                class: "plan",
                points: plan.points.clone(),
            });
        }
        let plot = self.plot("Rate", "Per second: achieved against planned.", y, lines);
        // A plan's corners may lie far apart.
        let gap = if plan.points.is_empty() { plot.gap } else { f64::INFINITY };
        Plot { gap, ..plot }
    }

    fn latency(&self, subject: &Subject) -> Plot {
        let percentiles = self.timeline.percentiles(subject.metric, subject.name.as_deref());
        let labels = ["p50", "p95", "p99"];
        let lines: Vec<Line> = labels
            .into_iter()
            .zip(COLORS)
            .zip(percentiles)
            .map(|((label, class), points)| Line { label: label.into(), class, points })
            .collect();
        let y = Scale::of_times(values(&lines));
        let width = clock(self.timeline.width_s);
        let note = format!("Percentiles over time, a point every {width}.");
        let plot = self.plot(&subject.label, &note, y, lines);
        Plot { y_label: figures::milliseconds, ..plot }
    }

    fn sockets(&self) -> Plot {
        let open = self.timeline.gauge(names::WS_OPEN);
        let lines = vec![Line { label: "open".into(), class: "c3", points: open }];
        self.plot("Open WebSockets", "The most at once.", Scale::linear(values(&lines)), lines)
    }

    fn virtual_users(&self) -> Plot {
        let line = |(label, class, metric): (&str, &'static str, &str)| Line {
            label: label.into(),
            class,
            points: self.timeline.gauge(metric),
        };
        let lines: Vec<Line> =
            [("busy", "c4", names::VUS), ("allocated", "plan", names::VUS_MAX)].map(line).into();
        self.plot("Virtual users", "The most at once.", Scale::linear(values(&lines)), lines)
    }

    fn errors(&self) -> Plot {
        let kinds = [
            ("failed requests", self.timeline.failures(names::HTTP_REQ_FAILED)),
            ("WebSocket errors", self.timeline.rate(names::WS_ERRORS)),
            ("Kafka errors", self.timeline.rate(names::KAFKA_ERRORS)),
            ("dropped iterations", self.timeline.rate(names::DROPPED_ITERATIONS)),
        ];
        // Where nothing went wrong there is nothing to see.
        let wrong = |points: &Points| points.iter().any(|point| point.1 > 0.0);
        let lines: Vec<Line> = kinds
            .into_iter()
            .zip(["c2", "c1", "c4", "c3"])
            .filter(|((_, points), _)| wrong(points))
            .map(|((label, points), class)| Line { label: label.into(), class, points })
            .collect();
        self.plot("Errors", "Per second.", Scale::linear(values(&lines)), lines)
    }

    fn send_lag(&self) -> Plot {
        let [_, _, p99] = self.timeline.percentiles(names::SEND_LAG, None);
        let lines = vec![Line { label: "p99".into(), class: "c5", points: p99 }];
        let note = "How late the generator itself sent, over time.";
        let plot = self.plot("Send lag", note, Scale::of_times(values(&lines)), lines);
        Plot { y_label: figures::milliseconds, ..plot }
    }

    /// What a phase moves beside its requests: messages and bytes.
    fn iterations_beside(&self) -> Plot {
        let line = |(label, class, metric): (&str, &'static str, &str)| Line {
            label: label.into(),
            class,
            points: self.timeline.rate(metric),
        };
        let lines: Vec<Line> = [
            ("Kafka messages received", "c0", names::KAFKA_MESSAGES_RECEIVED),
            ("WebSocket messages received", "c3", names::WS_MSGS_RECEIVED),
        ]
        .map(line)
        .into();
        self.plot("Messages", "Per second.", Scale::linear(values(&lines)), lines)
    }
}

/// The distribution as HDR tools draw it: the rarer, the further to the right.
fn percentiles(subjects: &[Subject]) -> Plot {
    let most = subjects.iter().map(|subject| subject.trend.count()).max().unwrap_or(0);
    let nines = nines_within(most);
    let line = |(subject, class): (&Subject, &'static str)| {
        // Beyond a subject's last sample there is only its maximum.
        let own = nines_within(subject.trend.count());
        let at = |step: u32| nines * f64::from(step) / f64::from(PERCENTILE_POINTS);
        let point = |nines: f64| {
            let percentile = percentile_of(nines);
            (percentile, subject.trend.percentile_ms(percentile))
        };
        let points = (0..=PERCENTILE_POINTS).map(at).take_while(|at| *at <= own).map(point);
        Line { label: subject.label.clone(), class, points: points.collect() }
    };
    let lines: Vec<Line> = subjects.iter().zip(COLORS).map(line).collect();
    Plot {
        title: "Percentiles".into(),
        note: "The whole distribution: each step to the right is ten times rarer.".into(),
        x: Scale::Percentile { nines },
        y: Scale::of_times(values(&lines)),
        x_label: |percentile| format!("{percentile} %"),
        y_label: figures::milliseconds,
        lines,
        bands: Vec::new(),
        gap: f64::INFINITY,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn nines_within(samples: u64) -> f64 {
    (samples.max(10) as f64).log10().clamp(1.0, MAX_NINES)
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> + Clone {
    lines.iter().flat_map(|line| line.points.iter().map(|point| point.1))
}

fn clock(seconds: f64) -> String {
    figures::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
