//! Membership in a consumer group, without I/O: [`Member::next`] says what to do, and the caller says
//! how it went.
//!
//! ```text
//! Searching → Connecting → Joining → Syncing → Fetching → Stable ⇄ (heartbeat, commit)
//!                 ▲            ▲                            │ rebalance
//!                 │            └──── Draining ◀─────────────┘
//!                 └── connection lost, from anywhere; the member goes on where it was
//! ```

mod answers;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use contract::topics::Topic;
use kafka_protocol::protocol::StrBytes;

use super::assignor::{Share, Sharing};
use super::wire::{self, Identity, text};

/// How long the others wait for a member to finish what it has in flight.
pub(crate) const REBALANCE_TIMEOUT: Duration = Duration::from_secs(15);

/// How soon a member hears of a rebalance.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// How long the coordinator may take for an ordinary answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Pause before a request that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Offsets to commit: the next one to read.
pub(crate) type Offsets = BTreeMap<(Topic, i32), i64>;

/// How a service takes part in its group.
#[derive(Debug, Clone)]
pub(crate) struct GroupSettings {
    pub(crate) group: String,
    /// `group.instance.id`.
    pub(crate) instance: String,
    pub(crate) topics: Vec<Topic>,
    /// Of each topic.
    pub(crate) partitions: i32,
    pub(crate) sharing: Sharing,
    /// Without a heartbeat for this long a member counts as dead.
    pub(crate) session: Duration,
}

/// What the caller does next.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Connect to this address, or to any broker; then [`Member::connected`] or [`Member::broken`].
    Connect(Option<String>),
    /// Send the frame; then [`Member::answered`] or [`Member::broken`].
    Call { frame: Bytes, patience: Duration },
    /// Tell the service.
    Tell(Event),
    /// Wait so long at most: commands may come first.
    Wait(Duration),
    /// It is over.
    End,
}

/// What a service learns.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// These partitions are ours; the offsets are the committed ones.
    Assigned { share: Share, committed: Offsets },
    /// Finish what is in flight, then give [`Command::Drained`].
    Revoked,
    /// The partitions went to others already: forget what is in flight.
    Lost,
    /// The group will not have us.
    Failed(String),
}

/// What a service wants.
#[derive(Debug)]
pub(crate) enum Command {
    Commit(Offsets),
    /// All that was in flight when [`Event::Revoked`] came is done.
    Drained(Offsets),
    /// Commit and go.
    Leave(Offsets),
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Searching,
    Joining,
    Syncing(Vec<(StrBytes, Share)>),
    Fetching(Share),
    Stable,
    /// The service finishes what is in flight.
    Draining,
    Leaving,
    Ended,
}

/// What the request under way asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Coordinator,
    Join,
    Sync,
    Offsets,
    Heartbeat,
    Commit,
    Leave,
}

/// One member of a group.
pub(crate) struct Member {
    settings: GroupSettings,
    identity: Identity,
    state: State,
    connected: bool,
    coordinator: Option<String>,
    asked: Option<Asked>,
    correlation_id: i32,
    /// When the request under way was sent.
    asked_at: Duration,
    /// When the last request was sent by whose answer the coordinator confirmed this member.
    confirmed_at: Option<Duration>,
    /// Wait to be committed, and not before `commit_at`.
    offsets: Offsets,
    commit_at: Duration,
    /// To be told before anything else.
    news: Option<Event>,
    heartbeat_due: Duration,
    /// Nothing is sent before.
    resume_at: Duration,
    /// The service has drained: join again once its offsets are committed.
    rejoin: bool,
    leave: bool,
}

impl Member {
    pub(crate) fn new(settings: GroupSettings) -> Self {
        let identity = Identity {
            group: text(&settings.group),
            instance: text(&settings.instance),
            member_id: StrBytes::new(),
            generation: -1,
        };
        Self {
            settings,
            identity,
            state: State::Searching,
            connected: false,
            coordinator: None,
            asked: None,
            correlation_id: 0,
            asked_at: Duration::ZERO,
            confirmed_at: None,
            offsets: Offsets::new(),
            commit_at: Duration::ZERO,
            news: None,
            heartbeat_due: Duration::ZERO,
            resume_at: Duration::ZERO,
            rejoin: false,
            leave: false,
        }
    }

    /// What to do at `now` (of a clock that never jumps).
    pub(crate) fn next(&mut self, now: Duration) -> anyhow::Result<Action> {
        if let Some(event) = self.news.take() {
            return Ok(Action::Tell(event));
        }
        if self.state == State::Ended {
            return Ok(Action::End);
        }
        if now < self.resume_at {
            return Ok(Action::Wait(self.resume_at - now));
        }
        if !self.connected {
            return Ok(Action::Connect(self.coordinator.clone()));
        }
        if self.coordinator.is_none() {
            let request = self.identity.find_coordinator();
            return self.call(Asked::Coordinator, &request, PATIENCE);
        }
        self.asked_at = now;
        self.advance(now)
    }

    /// The coordinator confirmed this member by an answer to a request sent then; none while it does not.
    pub(crate) const fn confirmed_at(&self) -> Option<Duration> {
        self.confirmed_at
    }

    /// The next step of a member that stands in contact with its coordinator.
    fn advance(&mut self, now: Duration) -> anyhow::Result<Action> {
        let joined = matches!(self.state, State::Stable | State::Draining);
        let to_commit = joined && !self.offsets.is_empty();
        if to_commit && now >= self.commit_at {
            let request = self.identity.commit(&self.offsets);
            return self.call(Asked::Commit, &request, PATIENCE);
        }
        if to_commit && (self.rejoin || self.leave) {
            return Ok(Action::Wait(self.commit_at - now));
        }
        if self.leave && self.state != State::Leaving {
            self.state = State::Leaving;
        }
        if self.rejoin {
            self.rejoin = false;
            self.state = State::Joining;
        }
        match &self.state {
            State::Searching | State::Joining => {
                self.state = State::Joining;
                let request = self.identity.join(
                    &self.settings.topics,
                    milliseconds(self.settings.session),
                    milliseconds(REBALANCE_TIMEOUT),
                )?;
                self.call(Asked::Join, &request, REBALANCE_TIMEOUT + PATIENCE)
            }
            State::Syncing(shares) => {
                let request = self.identity.sync(shares)?;
                self.call(Asked::Sync, &request, REBALANCE_TIMEOUT + PATIENCE)
            }
            State::Fetching(share) => {
                let request = self.identity.fetch_offsets(share);
                self.call(Asked::Offsets, &request, PATIENCE)
            }
            State::Stable if now < self.heartbeat_due => {
                let due = if to_commit { self.commit_at } else { self.heartbeat_due };
                Ok(Action::Wait(due.min(self.heartbeat_due) - now))
            }
            State::Stable => {
                let request = self.identity.heartbeat();
                self.call(Asked::Heartbeat, &request, PATIENCE)
            }
            State::Draining => Ok(Action::Wait(HEARTBEAT_INTERVAL)),
            State::Leaving => {
                let request = self.identity.leave();
                self.call(Asked::Leave, &request, PATIENCE)
            }
            State::Ended => Ok(Action::End),
        }
    }

    fn call<R: wire::Spoken>(
        &mut self,
        asked: Asked,
        request: &R,
        patience: Duration,
    ) -> anyhow::Result<Action> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        self.asked = Some(asked);
        let frame = wire::encode(request, self.correlation_id, &self.settings.instance)?;
        Ok(Action::Call { frame, patience })
    }

    /// The service wants something.
    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::Commit(offsets) => self.keep(offsets),
            // Of partitions that were lost meanwhile nobody asks any more.
            Command::Drained(offsets) if self.state == State::Draining => {
                self.keep(offsets);
                self.rejoin = true;
            }
            Command::Drained(_) => {}
            Command::Leave(offsets) => {
                self.keep(offsets);
                self.leave = true;
            }
        }
    }

    fn keep(&mut self, offsets: Offsets) {
        // Without an assignment nobody would take them.
        if matches!(self.state, State::Stable | State::Draining) {
            self.offsets.extend(offsets);
        }
    }

    /// The connection stands.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
    }

    /// The connection could not be made, or broke: search again, and go on where we were.
    pub(crate) fn broken(&mut self, now: Duration) {
        self.connected = false;
        self.coordinator = None;
        self.asked = None;
        self.resume_at = now + RETRY_PAUSE;
        if self.state == State::Leaving {
            // Whoever cannot say goodbye is found missing at the end of the session.
            self.state = State::Ended;
        }
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
