//! Group work: consume, decide, produce, commit.
//!
//! A worker takes part in its group. With every assignment it folds what its state is made of, then
//! reads on, decides, publishes with many records in flight, and commits the contiguous prefix of what
//! is acknowledged. A decision lives in [`Domain`], which knows neither the log nor the clock.

mod assignment;
mod lanes;
#[cfg(test)]
pub(crate) mod model;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use contract::Timestamp;
use contract::events::Event;
use contract::topics::Topic;
use futures_util::future::BoxFuture;
use tracing::{info, warn};

use self::assignment::Assignment;
use super::health::Health;
use super::kafka::assignor::{Share, Sharing};
use super::kafka::group::{self, GroupSettings, Offsets};
use super::kafka::membership::Membership;
use super::lease::Lease;
use super::log::{Log, Received};
use super::metrics::{GROUP_CHANGES, GROUP_PARTITIONS};
use super::publisher::{Publisher, PublisherSettings};
use super::replay::{Mailbox, Replacement, Replays, Request, Subject};
use super::shutdown::Shutdown;
use super::snapshot::{Cut, Keeper, Start, State, Unit};
use super::trace::TraceContext;
use crate::cli::CommonArgs;

/// Between two commits: what a crash makes a service read again.
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// How long records in flight may take to finish when partitions go or the service stops. What is not
/// finished then is not committed either: whoever comes next does it again.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// How a service takes part.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSettings {
    /// As in `service-1`; the group is `service-service`.
    pub(crate) service: &'static str,
    pub(crate) instance: String,
    /// Topics whose records it decides about.
    pub(crate) inputs: &'static [Topic],
    /// Inputs whose records before the committed offset belong to its state too.
    pub(crate) remembered: &'static [Topic],
    /// The topic that it publishes to, and reads back.
    pub(crate) output: Topic,
    pub(crate) sharing: Sharing,
    /// Records being worked on at once.
    pub(crate) max_in_flight: usize,
    pub(crate) publisher: PublisherSettings,
}

impl WorkerSettings {
    fn member(&self) -> String {
        format!("{}-{}", self.service, self.instance)
    }
}

/// What a service does about a record.
pub(crate) enum Decision {
    Nothing,
    Publish(Event),
    /// The event is known once the outside has answered; without one nothing more follows from the record.
    Ask(Question),
    /// Whether there is one, and when it was decided, is known once the state is safe elsewhere.
    Later(BoxFuture<'static, Option<Stamped>>),
}

/// Asks the outside, under the place in the trace that the record's work has.
pub(crate) type Question =
    Box<dyn FnOnce(Option<TraceContext>) -> BoxFuture<'static, Option<Event>> + Send>;

/// An event that was decided at a certain time: published again, it has the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) event: Event,
    pub(crate) at: Timestamp,
}

/// What a service decides, without the log and the clock.
pub(crate) trait Domain: Send {
    /// The way into the log for events that no record of an input asks for.
    fn attach(&mut self, _publisher: &Publisher) {}
    /// Called once, before the first assignment: for state that is kept elsewhere.
    fn prepare(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        async { Ok(()) }
    }
    /// How much of the log the state holds already, when it is kept elsewhere.
    fn folded(&self) -> Cut {
        Cut::new()
    }
    /// Waits until more history may be folded.
    fn room(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
    /// Forgets everything: an assignment begins or is over.
    fn reset(&mut self);
    /// Takes in a record that is history: of the service's own topic, or before the committed offset.
    fn fold(&mut self, record: &Received);
    /// All history is in, and all that stood in the inputs at the start is decided.
    fn caught_up(&mut self) {}
    /// Takes in a record of an input, and decides.
    fn decide(&mut self, record: &Received, now: Timestamp) -> Decision;
    /// `event`, the answer to [`Decision::Ask`], is about to be published.
    fn answered(&mut self, _event: &Event) {}
    /// Its state as far as it is a fold of the log, for snapshots; none when it is kept elsewhere.
    fn state(&mut self) -> Option<&mut dyn State> {
        None
    }
}

/// What keeps a state safe and checked.
pub(crate) struct Upkeep {
    pub(crate) keeper: Keeper,
    pub(crate) replays: Arc<Replays>,
    pub(crate) mailbox: Mailbox,
}

impl Upkeep {
    /// For a service that has reached the log.
    pub(crate) fn new(
        args: &CommonArgs,
        service: &'static str,
        log: &Log,
        (replays, mailbox): (Arc<Replays>, Mailbox),
    ) -> Self {
        let keeper = Keeper::new(args.state_dir(service), service, log, args.snapshots);
        replays.open(keeper.finder.clone());
        Self { keeper, replays, mailbox }
    }
}

/// A service's work in its group.
pub(crate) struct Worker<D> {
    settings: WorkerSettings,
    domain: D,
    log: Log,
    publisher: Publisher,
    lease: Lease,
    health: Arc<Health>,
    upkeep: Upkeep,
    /// The partitions that are ours, and what had been committed when they came.
    place: Option<(Share, Offsets)>,
    start: Start,
    /// Called once, when the service does its work.
    on_ready: Option<Box<dyn FnOnce() -> anyhow::Result<()> + Send>>,
}

impl<D: Domain> Worker<D> {
    pub(crate) fn new(
        settings: WorkerSettings,
        mut domain: D,
        log: Log,
        health: Arc<Health>,
        upkeep: Upkeep,
        on_ready: Box<dyn FnOnce() -> anyhow::Result<()> + Send>,
    ) -> Self {
        let lease = Lease::default();
        let publisher = Publisher::start(&log, settings.output, settings.publisher, Some(&lease));
        domain.attach(&publisher);
        let (place, start, on_ready) = (None, Start::default(), Some(on_ready));
        Self { settings, domain, log, publisher, lease, health, upkeep, place, start, on_ready }
    }

    /// Works until the shutdown begins; then finishes, commits and leaves.
    ///
    /// # Errors
    /// When the group will not have this member, or another single writer is active.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut membership = Membership::join(&self.log, self.group(), &self.lease);
        let mut assignment: Option<Assignment> = None;
        let mut commit = tokio::time::interval(COMMIT_INTERVAL);
        commit.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                event = membership.next() => {
                    let event = event.context("the group membership ended")?;
                    if let Some(refusal) = self.follow(event, &mut assignment, &mut membership).await? {
                        membership.leave(Offsets::new()).await;
                        bail!(refusal);
                    }
                }
                caught_up = advance(&mut assignment, &mut self.domain, &self.publisher) => {
                    if caught_up {
                        self.ready(assignment.as_ref().map_or(0, Assignment::records))?;
                    }
                    self.health.set_kafka_connected(self.is_connected(assignment.as_ref()));
                }
                _ = commit.tick() => {
                    let offsets = assignment.as_mut().and_then(Assignment::uncommitted);
                    membership.commit(offsets.unwrap_or_default());
                    self.keep(assignment.as_ref());
                }
                Some(request) = self.upkeep.mailbox.recv() => {
                    self.serve(request, &mut assignment, &mut membership).await;
                }
            }
        }
        let offsets = self.drain(assignment).await;
        membership.leave(offsets).await;
        Ok(())
    }

    fn group(&self) -> GroupSettings {
        GroupSettings {
            group: format!("{}-service", self.settings.service),
            instance: self.settings.member(),
            topics: self.settings.inputs.to_vec(),
            partitions: self.log.partitions,
            sharing: self.settings.sharing,
            session: self.log.session_timeout,
        }
    }

    /// Follows a change of membership. Some text when the service has no business here.
    async fn follow(
        &mut self,
        event: group::Event,
        assignment: &mut Option<Assignment>,
        membership: &mut Membership,
    ) -> anyhow::Result<Option<String>> {
        match event {
            group::Event::Assigned { share, committed } => {
                if let Some(holder) =
                    share.holder.as_ref().filter(|h| **h != self.settings.member())
                {
                    return Ok(Some(format!(
                        "{holder} is active: without a database {} has a single writer, stop that one first",
                        self.settings.service
                    )));
                }
                let partitions: usize = share.partitions.values().map(Vec::len).sum();
                changed("assigned", partitions);
                *assignment = Some(self.begin(&share, &committed).await);
                self.place = Some((share, committed));
                membership.take_up();
            }
            group::Event::Revoked => {
                changed("revoked", 0);
                let offsets = self.drain(assignment.take()).await;
                self.domain.reset();
                membership.drained(offsets).await;
            }
            group::Event::Lost => {
                warn!(service = self.settings.service, "partitions went to others");
                changed("lost", 0);
                *assignment = None;
                self.domain.reset();
            }
            group::Event::Failed(reason) => bail!(reason),
        }
        Ok(None)
    }

    async fn begin(&mut self, share: &Share, committed: &Offsets) -> Assignment {
        info!(service = self.settings.service, ?share, "assigned");
        self.domain.reset();
        self.health.set_kafka_connected(true);
        let known = self.restore(share, committed).await;
        Assignment::begin(&self.log, &self.settings, share, committed, &known)
    }

    /// Puts back what snapshots hold of `share`; where to read on.
    async fn restore(&mut self, share: &Share, committed: &Offsets) -> Cut {
        let Some(state) = self.domain.state() else { return self.domain.folded() };
        let partitions: BTreeSet<i32> = share.partitions.values().flatten().copied().collect();
        let units: BTreeSet<Unit> =
            partitions.into_iter().map(|partition| state.units().of(partition)).collect();
        let output = self.settings.output;
        // What the group has not committed is read again, and would look like a repeat to a state that
        // knows it already. Whoever set a group back wants it decided again.
        let fits = |cut: &Cut| {
            let ahead = cut.iter().find(|((topic, partition), mark)| {
                let done = committed.get(&(*topic, *partition)).copied().unwrap_or(0);
                *topic != output && mark.next_offset > done
            });
            match ahead {
                Some(((topic, partition), _)) => {
                    Err(format!("it is ahead of the group on {}/{partition}", topic.name()))
                }
                None => Ok(()),
            }
        };
        self.start = self.upkeep.keeper.finder.restore(state, units, fits).await;
        self.start.cut.clone()
    }

    /// Writes a snapshot when it is time to.
    fn keep(&mut self, assignment: Option<&Assignment>) {
        let Some(assignment) = assignment else { return };
        self.upkeep.replays.observe_lag(assignment.lag());
        let records = assignment.records();
        if self.upkeep.keeper.is_due(records)
            && let Some(exports) = assignment.export(&mut self.domain)
        {
            self.upkeep.keeper.write(exports, records);
        }
    }

    /// Does what a replay asks for.
    async fn serve(
        &mut self,
        request: Request,
        assignment: &mut Option<Assignment>,
        membership: &mut Membership,
    ) {
        match request {
            Request::Export(reply) => {
                let exports = assignment.as_ref().and_then(|a| a.export(&mut self.domain));
                let fresh = self.domain.state().map(|state| state.fresh());
                let subject = exports.zip(fresh);
                // Whoever asked may have lost patience.
                drop(reply.send(subject.map(|(exports, fresh)| Subject { exports, fresh })));
            }
            Request::Replace(replacement, reply) => {
                let replaced = self.replace(replacement, assignment, membership).await;
                drop(reply.send(replaced.map_err(|error| error.to_string())));
            }
        }
    }

    /// Goes on from another state as from a snapshot of it.
    async fn replace(
        &mut self,
        replacement: Replacement,
        assignment: &mut Option<Assignment>,
        membership: &mut Membership,
    ) -> anyhow::Result<()> {
        let (share, mut committed) = self.place.clone().context("the partitions have gone")?;
        let units: Vec<Unit> = replacement.exports.iter().map(|export| export.unit).collect();
        for export in replacement.exports {
            self.upkeep.keeper.replace(export).await.context("writing the state")?;
        }
        warn!(service = self.settings.service, ?units, "the state is replaced");
        committed.extend(assignment.as_ref().map(Assignment::done).unwrap_or_default());
        let offsets = self.drain(assignment.take()).await;
        committed.extend(offsets.clone());
        membership.commit(offsets);
        *assignment = Some(self.begin(&share, &committed).await);
        self.place = Some((share, committed));
        Ok(())
    }

    fn ready(&mut self, records: u64) -> anyhow::Result<()> {
        self.domain.caught_up();
        self.upkeep.replays.started(&self.start, records);
        self.health.set_ready();
        self.on_ready.take().map_or(Ok(()), |on_ready| on_ready())
    }

    fn is_connected(&self, assignment: Option<&Assignment>) -> bool {
        self.publisher.is_connected() && assignment.is_some_and(Assignment::is_connected)
    }

    /// Stops reading and waits for what is in flight; the offsets to commit.
    async fn drain(&mut self, assignment: Option<Assignment>) -> Offsets {
        let Some(mut assignment) = assignment else { return Offsets::new() };
        assignment.stop_reading();
        let finish = assignment.finish(&mut self.domain, &self.publisher);
        if tokio::time::timeout(DRAIN_PATIENCE, finish).await.is_err() {
            warn!(left = assignment.in_flight(), "records in flight did not finish in time");
        }
        assignment.uncommitted().unwrap_or_default()
    }
}

fn changed(kind: &'static str, partitions: usize) {
    GROUP_CHANGES.add_to(&[("kind", kind)], 1);
    GROUP_PARTITIONS.set(partitions as f64);
}

/// Lets the assignment do a piece of its work; without one, waits for ever. Whether it caught up.
async fn advance<D: Domain>(
    assignment: &mut Option<Assignment>,
    domain: &mut D,
    publisher: &Publisher,
) -> bool {
    match assignment {
        Some(assignment) => assignment.advance(domain, publisher).await,
        None => std::future::pending().await,
    }
}
