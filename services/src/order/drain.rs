//! The queue follows into the log, in order, as soon as Kafka takes orders again.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use contract::events::Event;
use tracing::{error, info, warn};

use super::dispatch::Dispatch;
use super::queue::Record;
use crate::kit::clock::Clock;
use crate::kit::metrics::{ORDERS_DRAINED, QUEUE_AGE, QUEUE_BYTES, QUEUE_ORDERS};
use crate::kit::publisher::{PublishError, Publisher, Sent};
use crate::kit::record::Outgoing;

/// Orders on their way at once: enough to make the round trip to Kafka cheap, few enough to be sent again.
pub(super) const BATCH: usize = 500;

/// How long a batch may take. Longer than an append may: its failure is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause after a failure, so that the breaker's number of failures is not used up at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Pause after the queue could not be read.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How often the metrics of the queue are set.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Drains the queue for as long as the service lives, whenever the circuit breaker lets it: the first
/// order is the probe that finds out whether Kafka is back.
pub(super) async fn drain(dispatch: &Dispatch, publisher: &Publisher) -> Infallible {
    let queue = &dispatch.queue;
    // Orders that stand in the log although an older one does not: they are not sent again.
    let mut early = HashSet::new();
    loop {
        queue.some_ahead().await;
        let pass = dispatch.breaker.admitted().await;
        let records = match queue.next(if pass.is_probe { 1 } else { BATCH }).await {
            Ok(records) => records,
            Err(error) => {
                error!(%error, "the queue cannot be read");
                drop(pass);
                tokio::time::sleep(DISK_PAUSE).await;
                continue;
            }
        };
        let sent = records.iter().map(|record| send(publisher, record, &early)).collect();
        queue.departed(records.len());
        let outcomes = wait(sent).await;
        let arrived = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
        let failures = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        let stand = |(record, outcome): (&Record, &Result<(), PublishError>)| {
            outcome.is_ok().then_some(record.sequence)
        };
        early = records.iter().zip(&outcomes).skip(arrived).filter_map(stand).collect();
        ORDERS_DRAINED.add_to(&[], arrived as u64);
        let failed = failures().count();
        match failures().next() {
            None => pass.succeeded(),
            Some(error) => {
                warn!(%error, failed, of = records.len(), "queued orders could not be published");
                pass.failed_times(u32::try_from(failed).unwrap_or(u32::MAX));
            }
        }
        queue.arrived(arrived).await;
        if queue.depth() == 0 {
            info!("the queue is drained");
        }
        if failed > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// On its way; or already there.
type Departed = Result<Option<Sent>, PublishError>;

fn send(publisher: &Publisher, record: &Record, early: &HashSet<u64>) -> Departed {
    if early.contains(&record.sequence) {
        return Ok(None);
    }
    let entry = &record.entry;
    match Event::decode(None, &entry.event) {
        Ok(event) => {
            let outgoing = Outgoing::encoded(&event, entry.event.clone(), entry.at);
            publisher.send(outgoing.traced(entry.trace)).map(Some)
        }
        // Its checksum is right: it was written by a version that this one does not understand.
        Err(error) => {
            error!(%error, sequence = record.sequence, "a queued order cannot be read, and is left out");
            Ok(None)
        }
    }
}

/// What became of each, in their order.
async fn wait(departed: Vec<Departed>) -> Vec<Result<(), PublishError>> {
    let mut out_of_patience = std::pin::pin!(tokio::time::sleep(PATIENCE));
    let mut outcomes = Vec::with_capacity(departed.len());
    for departed in departed {
        outcomes.push(match departed {
            Ok(None) => Ok(()),
            Ok(Some(sent)) => tokio::select! {
                biased;
                published = sent => published.map(drop),
                () = &mut out_of_patience => Err(PublishError::TimedOut),
            },
            Err(error) => Err(error),
        });
    }
    outcomes
}

/// Keeps the metrics of the queue up to date.
pub(super) async fn report(dispatch: &Dispatch, clock: &Clock) -> Infallible {
    let queue = &dispatch.queue;
    loop {
        let age = queue.oldest().map(|at| (clock.now() - at).to_std().unwrap_or_default());
        QUEUE_AGE.set(age.unwrap_or_default().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "no queue holds 2^52 bytes")]
        let [depth, bytes] = [queue.depth() as f64, queue.bytes() as f64];
        QUEUE_ORDERS.set(depth);
        QUEUE_BYTES.set(bytes);
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}
