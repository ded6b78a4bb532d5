//! The register of open connections: how many there are, from where, and which of them take too long.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tracing::{debug, warn};

use crate::budget::Budget;
use crate::clock::Now;
use crate::pulse::{Overdue, Patience, Pulse, Watched};

/// Warnings about clients between two sweeps; what is beyond is only counted, so that a client cannot
/// fill a disk with them.
const WARNINGS_PER_SWEEP: usize = 10;

#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    pub(crate) in_all: usize,
    pub(crate) per_address: usize,
    pub(crate) patience: Patience,
}

pub(crate) struct Connections {
    limits: ConnectionLimits,
    budget: Arc<Budget>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    by_id: BTreeMap<u64, Entry>,
    per_address: HashMap<IpAddr, usize>,
    warnings: usize,
}

struct Entry {
    client: SocketAddr,
    pulse: Arc<Pulse>,
    watched: Watched,
    /// Set as soon as there is a task that serves it.
    task: Option<AbortHandle>,
}

/// A connection that one too many would be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there are {0} connections already")]
    TooMany(usize),
    #[error("there are {0} connections from its address already")]
    TooManyFromAddress(usize),
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits, budget: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { limits, budget, open: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new connection its place, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, client: SocketAddr, now: Now) -> Result<Place, Refusal> {
        let mut open = self.lock();
        if open.by_id.len() >= self.limits.in_all {
            return Err(Refusal::TooMany(self.limits.in_all));
        }
        let from_address = open.per_address.entry(client.ip()).or_default();
        if *from_address >= self.limits.per_address {
            return Err(Refusal::TooManyFromAddress(self.limits.per_address));
        }
        *from_address += 1;
        let id = open.next_id;
        open.next_id += 1;
        let pulse = Arc::new(Pulse::default());
        let entry = Entry { client, pulse: pulse.clone(), watched: Watched::new(now), task: None };
        open.by_id.insert(id, entry);
        Ok(Place { connections: self.clone(), id, client, pulse })
    }

    /// From now on the connection can be ended.
    pub(crate) fn served_by(&self, id: u64, task: AbortHandle) {
        if let Some(entry) = self.lock().by_id.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// Ends the connections that take too long.
    pub(crate) fn sweep(&self, now: Now) {
        let scarce = self.budget.is_scarce();
        let mut open = self.lock();
        let unsaid = std::mem::take(&mut open.warnings).saturating_sub(WARNINGS_PER_SWEEP);
        let mut overdue = Vec::new();
        for entry in open.by_id.values_mut() {
            let looked = entry.watched.look(&entry.pulse, now, self.limits.patience, scarce);
            if let Some(why) = looked
                && let Some(task) = entry.task.take()
            {
                task.abort();
                overdue.push((entry.client, why));
            }
        }
        drop(open);
        if unsaid > 0 {
            warn!(connections = unsaid, "closed or refused more connections than were named here");
        }
        for (client, why) in overdue {
            match why {
                Overdue::Idle { for_ms } => debug!(%client, for_ms, "closed an idle connection"),
                Overdue::Transfer { moved_bytes, for_ms } => {
                    let why = format!(
                        "a request or a response stood still for {for_ms} ms at {moved_bytes} bytes"
                    );
                    self.warn(client, "closed", why);
                }
            }
        }
    }

    /// Says what a client did wrong, unless that was said too often of late.
    pub(crate) fn warn(&self, client: SocketAddr, what: &str, why: impl std::fmt::Display) {
        let mut open = self.lock();
        open.warnings += 1;
        let quiet = open.warnings > WARNINGS_PER_SWEEP;
        drop(open);
        if quiet {
            debug!(%client, "{what} a connection: {why}");
        } else {
            warn!(%client, "{what} a connection: {why}");
        }
    }
}

/// A connection's place in the register, free again when it is dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    pub(crate) id: u64,
    client: SocketAddr,
    pub(crate) pulse: Arc<Pulse>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.by_id.remove(&self.id);
        let address = self.client.ip();
        if let Some(from_address) = open.per_address.get_mut(&address) {
            *from_address -= 1;
            if *from_address == 0 {
                open.per_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Now = Now { monotonic_ms: 0, wall_ms: 0 };

    fn connections(in_all: usize, per_address: usize) -> Arc<Connections> {
        let patience = Patience::new(Duration::from_secs(600), Duration::from_secs(30));
        Connections::new(ConnectionLimits { in_all, per_address, patience }, Budget::new(1 << 20))
    }

    fn client(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_per_address_and_come_back() {
        let connections = connections(3, 2);
        let admit = |address| connections.admit(client(address), START);
        let first = admit("10.0.0.1:1").unwrap();
        let _second = admit("10.0.0.1:2").unwrap();
        assert_eq!(admit("10.0.0.1:3").err(), Some(Refusal::TooManyFromAddress(2)));
        let _other = admit("10.0.0.2:1").unwrap();
        assert_eq!(admit("10.0.0.3:1").err(), Some(Refusal::TooMany(3)));
        drop(first);
        let _again = admit("10.0.0.1:4").unwrap();
        assert_eq!(connections.lock().per_address.len(), 2, "no address is remembered in vain");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_sweep_ends_what_is_overdue_and_leaves_the_rest() {
        let connections = connections(10, 10);
        let place = |address| connections.admit(client(address), START).unwrap();
        let (silent, waiting) = (place("10.0.0.1:1"), place("10.0.0.1:2"));
        waiting.pulse.exempt();
        let tasks = [silent, waiting].map(|place| {
            let id = place.id;
            let task = tokio::spawn(async move {
                let _place = place;
                std::future::pending::<()>().await;
            });
            connections.served_by(id, task.abort_handle());
            task
        });
        connections.sweep(Now { monotonic_ms: 599_999, wall_ms: 0 });
        connections.sweep(Now { monotonic_ms: 600_000, wall_ms: 0 });
        let [silent, waiting] = tasks;
        assert!(silent.await.unwrap_err().is_cancelled());
        assert!(!waiting.is_finished());
        assert_eq!(connections.lock().by_id.len(), 1);
    }
}
