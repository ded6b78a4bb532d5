//! A group member's task: carries out what [`Member`] says.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, info};

use super::group::{Action, Command, Event, GroupSettings, Member, Offsets};
use crate::kit::lease::{self, Lease};
use crate::kit::log::{ByteTransport, Driver, Log};

/// Commands that may wait for the member; a commit every 200 ms never fills this.
const COMMANDS: usize = 16;

/// How long a stopping service waits for its last commit and its goodbye. A member that is just joining
/// may have to wait for the others much longer than anybody waits for it to stop.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

/// A service's place in its group. Dropping it ends the member without a goodbye.
pub(crate) struct Membership {
    events: mpsc::Receiver<(Event, u64)>,
    commands: mpsc::Sender<Command>,
    lease: Lease,
    /// Of the last event.
    epoch: u64,
    /// Commits that found no room.
    left_over: Offsets,
    task: tokio::task::JoinHandle<()>,
}

impl Membership {
    /// Joins the group and stays in it, and keeps the `lease` for as long as the group has us.
    pub(crate) fn join(log: &Log, settings: GroupSettings, lease: &Lease) -> Self {
        let (tell, events) = mpsc::channel(1);
        let (commands, orders) = mpsc::channel(COMMANDS);
        let keeper = Keeper {
            lease: lease.clone(),
            term: lease::term(settings.session),
            was_confirmed: false,
            member: Member::new(settings),
            driver: Arc::clone(&log.driver),
            log: log.clone(),
            transport: None,
            tell,
            orders,
        };
        Self {
            events,
            commands,
            lease: lease.clone(),
            epoch: 0,
            left_over: Offsets::new(),
            task: tokio::spawn(keeper.run()),
        }
    }

    /// The next change; `None` once the member has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let (event, epoch) = self.events.recv().await?;
        self.epoch = epoch;
        if matches!(event, Event::Assigned { .. } | Event::Lost) {
            self.left_over.clear();
        }
        Some(event)
    }

    /// The service has forgotten everything that it had decided before the assignment that it was told of last:
    /// what it decides from now on may be written.
    pub(crate) fn take_up(&self) {
        self.lease.take_up(self.epoch);
    }

    /// Commits some time soon: what finds no room now, with the next call.
    pub(crate) fn commit(&mut self, offsets: Offsets) {
        self.left_over.extend(offsets);
        if self.left_over.is_empty() {
            return;
        }
        if let Ok(room) = self.commands.try_reserve() {
            room.send(Command::Commit(std::mem::take(&mut self.left_over)));
        }
    }

    /// All that was in flight at [`Event::Revoked`] is done: commits and joins again.
    pub(crate) async fn drained(&mut self, offsets: Offsets) {
        self.lease.put_down();
        let mut all = std::mem::take(&mut self.left_over);
        all.extend(offsets);
        drop(self.commands.send(Command::Drained(all)).await);
    }

    /// Commits and leaves the group, so that others need not wait for the end of the session.
    pub(crate) async fn leave(mut self, offsets: Offsets) {
        let mut all = std::mem::take(&mut self.left_over);
        all.extend(offsets);
        let goodbye = async {
            drop(self.commands.send(Command::Leave(all)).await);
            // Nobody acts on news any more, but they must not hold the member up.
            while self.events.recv().await.is_some() {}
        };
        if tokio::time::timeout(LEAVE_PATIENCE, goodbye).await.is_err() {
            info!("left the group without a goodbye: its coordinator did not answer in time");
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    member: Member,
    driver: Arc<dyn Driver>,
    log: Log,
    transport: Option<Box<dyn ByteTransport>>,
    lease: Lease,
    /// How long the coordinator's confirmation is good for.
    term: Duration,
    was_confirmed: bool,
    tell: mpsc::Sender<(Event, u64)>,
    orders: mpsc::Receiver<Command>,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let action = match self.member.next(self.log.clock.monotonic()) {
                Ok(action) => action,
                Err(error) => Action::Tell(Event::Failed(error.to_string())),
            };
            let over = matches!(action, Action::End | Action::Tell(Event::Failed(_)));
            self.carry_out(action).await;
            if over {
                return;
            }
        }
    }

    /// Passes on what the last answer said of our membership.
    fn renew_lease(&mut self) {
        let confirmed = self.member.confirmed_at();
        match confirmed {
            Some(at) => self.lease.renew(at + self.term),
            // Before the first assignment there is nothing to lose, and once is enough.
            None if self.was_confirmed => self.lease.lose(),
            None => {}
        }
        self.was_confirmed = confirmed.is_some();
    }

    async fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect(address) => match self.driver.connect(address.as_deref()).await {
                Ok(transport) => {
                    self.transport = Some(transport);
                    self.member.connected();
                }
                Err(error) => {
                    debug!(%error, "no coordinator");
                    self.member.broken(self.log.clock.monotonic());
                }
            },
            Action::Call { frame, patience } => {
                let Some(transport) = &mut self.transport else {
                    return self.member.broken(self.log.clock.monotonic());
                };
                let answer = transport.call(frame, patience).await;
                let now = self.log.clock.monotonic();
                let read = match answer {
                    Ok(frame) => self.member.answered(frame, now),
                    Err(error) => Err(error.into()),
                };
                self.renew_lease();
                if let Err(error) = read {
                    info!(%error, "the coordinator's connection broke");
                    self.transport = None;
                    self.member.broken(now);
                }
            }
            Action::Tell(event) => drop(self.tell.send((event, self.lease.epoch())).await),
            Action::Wait(pause) => {
                tokio::select! {
                    biased;
                    command = self.orders.recv() => match command {
                        Some(command) => self.member.command(command),
                        // Only the end of the service closes this: its task is about to be aborted.
                        None => tokio::time::sleep(pause).await,
                    },
                    () = tokio::time::sleep(pause) => (),
                }
            }
            Action::End => (),
        }
    }
}
