//! Who may come in: how many connections one client may have, and how long it may take to say what it wants.

use std::io::Write;
use std::net::{IpAddr, Shutdown as Half};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::Timestamp;
use tokio::net::TcpStream;

use super::ApiError;
use crate::kit::client_address::TrustedProxies;
use crate::kit::limit::{Client, Held};
use crate::kit::metrics::HTTP_CONNECTIONS_REFUSED;

/// Time for a request's headers to arrive, and for an idle connection to send its next request.
pub(super) const HEADER_TIMEOUT_MS: u64 = 10_000;

/// Connections at once. Whoever comes then waits to be accepted.
pub(super) const MAX_CONNECTIONS: u32 = 16_384;

/// Connections of one address: a sixteenth of all.
pub(super) const CONNECTIONS_PER_ADDRESS: u32 = 1_024;

/// When a client with too many connections should come again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// The bounds of a door.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) header_timeout: Duration,
    /// Connections at once from all; a WebSocket counts only until its handshake is done.
    pub(crate) connections: usize,
    /// Connections at once from one address; 0 for no limit.
    pub(crate) per_address: u32,
    /// Many clients come from one of these: it has no limit.
    pub(crate) proxies: TrustedProxies,
}

/// The door of a service that only other services come to.
impl Default for Door {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_millis(HEADER_TIMEOUT_MS),
            connections: MAX_CONNECTIONS as usize,
            per_address: 0,
            proxies: TrustedProxies::default(),
        }
    }
}

/// Counts the connections of each client.
#[derive(Debug)]
pub(super) struct Turnstile {
    door: Door,
    held: Mutex<Held>,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Admission(Option<(Arc<Turnstile>, Client)>);

impl Turnstile {
    pub(super) fn of(door: Door) -> Arc<Self> {
        Arc::new(Self { door, held: Mutex::default() })
    }

    /// None when the client has all the connections that it may have.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admission> {
        let limit = self.door.per_address;
        if limit == 0 || self.door.proxies.trust(peer.to_canonical()) {
            return Some(Admission(None));
        }
        let client = Client::from(peer);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.acquire(client, limit).then(|| Admission(Some((Arc::clone(self), client))))
    }

    /// Turns a connection away with as much as it takes without waiting: who has too many gets no more of
    /// our time.
    pub(super) fn refuse(&self, stream: TcpStream, now: Timestamp) {
        HTTP_CONNECTIONS_REFUSED.add_to(&[], 1);
        let limit = self.door.per_address;
        let details = format!("{limit} at once from one address are allowed: close one first");
        let error = ApiError::too_many("too many connections", details, RETRY_AFTER_SECONDS);
        // Whatever of this fails, the connection is closed.
        if let Ok(mut stream) = stream.into_std() {
            let _ = stream.write(&error.raw(now));
            let _ = stream.shutdown(Half::Write);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some((turnstile, client)) = &self.0 {
            turnstile.held.lock().unwrap_or_else(PoisonError::into_inner).release(*client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turnstile(per_address: u32) -> Arc<Turnstile> {
        let proxies = "10.0.0.0/8".parse().unwrap();
        Turnstile::of(Door { per_address, proxies, ..Door::default() })
    }

    #[test]
    fn a_client_has_so_many_connections_and_a_proxy_any_number() {
        let turnstile = turnstile(2);
        let [client, other, proxy] =
            ["192.0.2.1", "192.0.2.2", "10.1.1.1"].map(|text| text.parse().unwrap());
        let mut held: Vec<_> = (0..2).map(|_| turnstile.admit(client).unwrap()).collect();
        assert!(turnstile.admit(client).is_none());
        assert!(turnstile.admit(other).is_some());
        let _many: Vec<_> = (0..10).map(|_| turnstile.admit(proxy).unwrap()).collect();
        held.pop();
        assert!(turnstile.admit(client).is_some());
    }

    #[test]
    fn no_limit_is_none() {
        let turnstile = turnstile(0);
        let client = "192.0.2.1".parse().unwrap();
        let _many: Vec<_> = (0..5_000).map(|_| turnstile.admit(client).unwrap()).collect();
    }
}
