//! A group member's task: carries out what [`Member`] says.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, info};

use super::group::{Action, Command, Event, GroupSettings, Member, Offsets};
use crate::kit::log::{ByteTransport, Driver, Log};

/// Commands that may wait for the member; a commit every 200 ms never fills this.
const COMMANDS: usize = 16;

/// How long a stopping service waits for its last commit and its goodbye. A member that is just joining
/// may have to wait for the others much longer than anybody waits for it to stop.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

/// A service's place in its group. Dropping it ends the member without a goodbye.
pub(crate) struct Membership {
    events: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Command>,
    task: tokio::task::JoinHandle<()>,
}

impl Membership {
    /// Joins the group and stays in it.
    pub(crate) fn join(log: &Log, settings: GroupSettings) -> Self {
        let (tell, events) = mpsc::channel(1);
        let (commands, orders) = mpsc::channel(COMMANDS);
        let keeper = Keeper {
            member: Member::new(settings),
            driver: Arc::clone(&log.driver),
            log: log.clone(),
            transport: None,
            tell,
            orders,
        };
        Self { events, commands, task: tokio::spawn(keeper.run()) }
    }

    /// The next change; `None` once the member has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Commits some time soon. A commit that finds no room is dropped: the next one says more.
    pub(crate) fn commit(&self, offsets: Offsets) {
        drop(self.commands.try_send(Command::Commit(offsets)));
    }

    /// All that was in flight at [`Event::Revoked`] is done: commits and joins again.
    pub(crate) async fn drained(&self, offsets: Offsets) {
        drop(self.commands.send(Command::Drained(offsets)).await);
    }

    /// Commits and leaves the group, so that others need not wait for the end of the session.
    pub(crate) async fn leave(mut self, offsets: Offsets) {
        let goodbye = async {
            drop(self.commands.send(Command::Leave(offsets)).await);
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
    tell: mpsc::Sender<Event>,
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
                if let Err(error) = read {
                    info!(%error, "the coordinator's connection broke");
                    self.transport = None;
                    self.member.broken(now);
                }
            }
            Action::Tell(event) => drop(self.tell.send(event).await),
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
