//! One replay from its start to its findings.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use contract::Timestamp;
use contract::ids::OrderId;
use contract::replay::{ReplayFrom, ReplayRequest, ReplayState};
use foldhash::fast::RandomState;

use super::compare::{Findings, Merged};
use super::pace::Pace;
use super::{Replacement, Replays, Request, Subject};
use crate::kit::log::Received;
use crate::kit::metrics;
use crate::kit::reader::{Readers, Reading, Span};
use crate::kit::snapshot::state::Undone;
use crate::kit::snapshot::{Content, Cut, Export, Finder, Start, State};

type Outside = HashSet<OrderId, RandomState>;

/// Replays up to the offsets of `subject`, compares, and replaces when that is wanted.
pub(super) async fn run(
    replays: &Arc<Replays>,
    finder: &Finder,
    subject: Subject,
) -> anyhow::Result<ReplayState> {
    let request = replays.status().replay.context("no replay was announced")?.request;
    let Subject { exports, mut fresh } = subject;
    let until: Cut = exports.iter().flat_map(|export| export.cut.clone()).collect();
    let start = match request.from {
        ReplayFrom::Checkpoint => restore(finder, &mut *fresh, &exports, &until).await,
        ReplayFrom::Earliest => Start::default(),
    };
    let shadow = Shadow::new(fresh, &request, finder.log.clock.now());
    let (mut shadow, outside) =
        replay(replays, finder, shadow, &start, &until, &request).await?.finish();
    let replayed: Vec<Arc<dyn Content>> =
        exports.iter().map(|export| shadow.lend(export.unit, Undone::default())).collect();
    let live: Vec<Arc<dyn Content>> =
        exports.iter().map(|export| Arc::clone(&export.content)).collect();
    let findings = compare(live.clone(), replayed.clone(), Arc::clone(&outside)).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::REPLAY_DIFFERENCES.set(findings.differences as f64);
    let differences = findings.differences;
    replays.report(|report| {
        report.orders_compared = findings.compared;
        report.differences = differences;
        report.examples = findings.examples;
    });
    if differences == 0 {
        return Ok(ReplayState::Consistent);
    }
    if !request.apply {
        return Ok(ReplayState::Differs);
    }
    let merged = |(export, replayed): (Export, Arc<dyn Content>)| {
        let (live, outside) = (export.content, Arc::clone(&outside));
        let content: Arc<dyn Content> = Arc::new(Merged { live, replayed, outside });
        Export { unit: export.unit, cut: export.cut, content }
    };
    let exports = exports.into_iter().zip(replayed).map(merged).collect();
    let replaced =
        replays.ask(|reply| Request::Replace(Replacement { exports, live }, reply)).await;
    replaced
        .ok_or_else(|| anyhow!("the service did not take the replayed state in time"))?
        .map_err(|error| anyhow!("the replayed state could not be taken: {error}"))?;
    Ok(ReplayState::Mended)
}

/// Begins the shadow with the last checkpoint that does not lie behind the live state.
async fn restore(finder: &Finder, fresh: &mut dyn State, exports: &[Export], until: &Cut) -> Start {
    let fits = |cut: &Cut| {
        let within = cut.iter().all(|(place, mark)| {
            until.get(place).is_some_and(|end| mark.next_offset <= end.next_offset)
        });
        if within { Ok(()) } else { Err("it is newer than the live state".to_owned()) }
    };
    let units: Vec<_> = exports.iter().map(|export| export.unit).collect();
    finder.restore(fresh, units, fits).await
}

/// The state that grows anew.
struct Shadow {
    state: Box<dyn State>,
    oldest: Timestamp,
    /// Orders with events older than the window: what is known of them is not whole.
    outside: Outside,
    applied: u64,
    dropped: u64,
    too_old: u64,
}

impl Shadow {
    fn new(state: Box<dyn State>, request: &ReplayRequest, now: Timestamp) -> Self {
        let window = TimeDelta::hours(i64::from(request.window_hours));
        let oldest = now.checked_sub_signed(window).unwrap_or(Timestamp::MIN_UTC);
        let outside = Outside::default();
        Self { state, oldest, outside, applied: 0, dropped: 0, too_old: 0 }
    }

    fn take_in(&mut self, record: &Received) {
        let (order, step) = (record.event.order_id(), record.event.step());
        if record.timestamp < self.oldest {
            self.too_old += 1;
            self.outside.insert(order);
        } else if self.state.has_taken(record.partition, order, step) {
            self.dropped += 1;
        } else {
            self.applied += 1;
            self.state.fold(record);
        }
    }

    fn finish(self) -> (Box<dyn State>, Arc<Outside>) {
        (self.state, Arc::new(self.outside))
    }
}

/// Reads from where `start` ends up to `until`, at the pace of `request`.
async fn replay(
    replays: &Replays,
    finder: &Finder,
    mut shadow: Shadow,
    start: &Start,
    until: &Cut,
    request: &ReplayRequest,
) -> anyhow::Result<Shadow> {
    let span = |(place, end): (&(_, _), &crate::kit::snapshot::Mark)| {
        let (topic, partition) = *place;
        let from = start.cut.get(place).map_or(0, |mark| mark.next_offset);
        (from < end.next_offset).then_some(Span {
            topic,
            partition,
            from,
            until: Some(end.next_offset),
        })
    };
    let spans: Vec<Span> = until.iter().filter_map(span).collect();
    let total: i64 = spans.iter().filter_map(|span| Some(span.until? - span.from)).sum();
    let total = u64::try_from(total).unwrap_or(0);
    replays.report(|report| {
        report.total = total;
        report.checkpoint = start.written_at_us.and_then(Timestamp::from_timestamp_micros);
    });
    let clock = finder.log.clock.clone();
    let pace = Pace::new(request.rate, request.batch_size, clock.monotonic());
    let mut places: std::collections::BTreeMap<_, i64> =
        spans.iter().map(|span| ((span.topic, span.partition), span.from)).collect();
    let mut read = 0;
    let mut readers = Readers::start(&finder.log, spans, finder.log.fetch_linger);
    while let Some(reading) = readers.next().await {
        let Reading::Batch(batch) = reading else { continue };
        for records in batch.records.chunks(pace.step()) {
            records.iter().for_each(|record| shadow.take_in(record));
            let events = shadow.applied + shadow.dropped + shadow.too_old;
            metrics::REPLAY_EVENTS.add_to(&[], records.len() as u64);
            tell(replays, &shadow, read, total, pace.achieved(events, clock.monotonic()));
            let pause = pace.pause(events, clock.monotonic());
            if pause.is_zero() {
                // The service's own work comes first.
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
        if let Some(place) = places.get_mut(&(batch.topic, batch.partition)) {
            read += u64::try_from(batch.next_offset - *place).unwrap_or(0);
            *place = batch.next_offset;
        }
    }
    tell(replays, &shadow, total, total, {
        let events = shadow.applied + shadow.dropped + shadow.too_old;
        pace.achieved(events, clock.monotonic())
    });
    Ok(shadow)
}

fn tell(replays: &Replays, shadow: &Shadow, read: u64, total: u64, rate: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    let progress = if total == 0 { 1.0 } else { read as f64 / total as f64 };
    metrics::REPLAY_PROGRESS.set(progress);
    metrics::REPLAY_RATE.set(rate);
    replays.report(|report| {
        report.read = read;
        report.applied = shadow.applied;
        report.dropped = shadow.dropped;
        report.outside_window = shadow.too_old;
        report.rate = rate;
    });
}

/// Millions of orders: not on the reactor.
async fn compare(
    live: Vec<Arc<dyn Content>>,
    replayed: Vec<Arc<dyn Content>>,
    outside: Arc<Outside>,
) -> anyhow::Result<Findings> {
    let comparison = tokio::task::spawn_blocking(move || {
        let mut findings = Findings::default();
        for (live, replayed) in live.iter().zip(&replayed) {
            findings.add(&**live, &**replayed, &outside);
        }
        findings
    });
    comparison.await.context("the comparison broke off")
}
