//! Starts as they were told, compared with the plan.

use std::fmt;
use std::time::Duration;

use loadgen::metrics::{LoadState, MergeError, Snapshot, names};

use crate::plan::Planned;

/// The goals: how far starts may be from the plan, as a share, in all and over any ten seconds.
const WHOLE_GOAL: f64 = 0.001;
const STRETCH_GOAL: f64 = 0.005;
const STRETCH: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Tally {
    load: LoadState,
    damaged: Option<MergeError>,
    /// Plan time and starts until then.
    marks: Vec<(Duration, u64)>,
}

impl Tally {
    pub(crate) fn add(&mut self, snapshot: &Snapshot) {
        if let Err(error) = self.load.merge(0, snapshot) {
            self.damaged = Some(error);
        }
        let started = self.load.trend(names::SEND_LAG, &[]).count();
        self.marks.push((Duration::from_millis(snapshot.to_ms), started));
    }

    pub(crate) fn row(self, planned: &Planned) -> Result<Row, MergeError> {
        if let Some(error) = self.damaged {
            return Err(error);
        }
        let started = self.load.trend(names::SEND_LAG, &[]).count();
        let due = planned.arrivals.due_by(planned.duration);
        let lag = self.load.trend(names::SEND_LAG, &[]);
        Ok(Row {
            name: planned.name.clone(),
            due,
            started,
            dropped: self.load.count(names::DROPPED_ITERATIONS, &[]),
            stretch: worst_stretch(&self.marks, planned),
            lag_ms: [lag.percentile_ms(50.0), lag.percentile_ms(99.0), lag.max_ms()],
            lag_goal_ms: planned.lag_goal_ms,
        })
    }
}

/// The greatest share by which any ten seconds, from one snapshot to another, differ from the plan.
fn worst_stretch(marks: &[(Duration, u64)], planned: &Planned) -> f64 {
    let within: Vec<_> = marks.iter().filter(|(at, _)| *at <= planned.duration).collect();
    let stretch = |(from, before): &(Duration, u64)| {
        let (to, after) = within.iter().find(|(to, _)| *to >= *from + STRETCH)?;
        let due = planned.arrivals.due_by(*to) - planned.arrivals.due_by(*from);
        Some(differ(after - before, due))
    };
    within.iter().filter_map(|mark| stretch(mark)).fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
fn differ(started: u64, due: u64) -> f64 {
    started.abs_diff(due) as f64 / due.max(1) as f64
}

pub(crate) struct Row {
    name: String,
    due: u64,
    started: u64,
    dropped: u64,
    stretch: f64,
    /// p50, p99, longest.
    lag_ms: [f64; 3],
    lag_goal_ms: f64,
}

impl Row {
    pub(crate) const HEAD: &str = "plan                         due    started  differs  any 10 s   send lag p50       p99       max   goals";

    pub(crate) fn missed(&self) -> bool {
        differ(self.started, self.due) > WHOLE_GOAL
            || self.stretch > STRETCH_GOAL
            || self.lag_ms[1] > self.lag_goal_ms
            || self.dropped > 0
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, due, started, stretch, lag_ms: [p50, p99, max], .. } = self;
        let differs = differ(*started, *due) * 100.0;
        let goals = if self.missed() { "MISSED" } else { "met" };
        write!(
            formatter,
            "{name:24} {due:>8} {started:>10} {differs:>7.3}% {:>8.3}% {p50:>12.3} ms {p99:>6.3} ms {max:>6.2} ms   {goals}",
            stretch * 100.0
        )?;
        if self.dropped > 0 { write!(formatter, ", {} dropped", self.dropped) } else { Ok(()) }
    }
}
