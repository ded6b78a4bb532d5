//! The core behind a lock, with the timer that lets its time pass and the list of whom to wake. A
//! [`Session`] is one client's line to it: every TCP connection has one, and so has every user of
//! the broker in its own process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;

use crate::clock::{Clock, Now};
use crate::core::{Core, Origin, Progress, Token};
use crate::wire::{Fatal, Outbox};

/// How long to sleep when nothing is due; anything that becomes due sooner wakes the timer.
const IDLE_MS: u64 = 60 * 60 * 1_000;

pub(crate) struct Hub {
    state: Mutex<State>,
    clock: Clock,
    tokens: AtomicU64,
    /// Something became due sooner, or was synced.
    earlier_deadline: Arc<Notify>,
}

struct State {
    core: Core,
    sessions: HashMap<Token, Arc<Notify>>,
    /// What the timer sleeps until.
    timer_due_ms: u64,
}

impl Hub {
    /// `earlier_deadline` makes the core look at the time before something is due.
    pub(crate) fn new(core: Core, clock: Clock, earlier_deadline: Arc<Notify>) -> Arc<Self> {
        let state = State { core, sessions: HashMap::new(), timer_due_ms: IDLE_MS };
        Arc::new(Self {
            state: Mutex::new(state),
            clock,
            tokens: AtomicU64::new(0),
            earlier_deadline,
        })
    }

    /// Stores everything and stores nothing more: a session that outlives the broker must not hold
    /// its data directory.
    pub(crate) fn close_storage(&self) {
        self.lock().core.storage.close();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the broker away from everybody.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Opens a line to the core. `advertised` is where this client finds the broker again.
    pub(crate) fn open(
        self: &Arc<Self>,
        client_host: String,
        advertised: &(String, u16),
    ) -> Session {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        let woken = Arc::new(Notify::new());
        self.lock().sessions.insert(token, woken.clone());
        let origin = Origin {
            token,
            client_host,
            advertised_host: StrBytes::from_string(advertised.0.clone()),
            advertised_port: i32::from(advertised.1),
        };
        Session { hub: self.clone(), origin, woken, outbox: Outbox::default() }
    }

    /// Lets time pass for the core; runs as long as the broker does.
    pub(crate) async fn run_timer(&self) {
        loop {
            let due_ms = {
                let mut state = self.lock();
                let now = self.clock.now();
                state.core.advance(now);
                state.wake();
                state.timer_due_ms =
                    state.core.next_deadline_ms().unwrap_or(now.monotonic_ms + IDLE_MS);
                state.timer_due_ms
            };
            let due = tokio::time::Instant::from_std(self.clock.instant(due_ms));
            tokio::select! {
                biased;
                () = self.earlier_deadline.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// Does something with the core, then wakes whom that concerns.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, &Clock) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.core, &self.clock);
        state.wake();
        if state.core.next_deadline_ms().is_some_and(|due_ms| due_ms < state.timer_due_ms) {
            state.timer_due_ms = 0;
            self.earlier_deadline.notify_one();
        }
        result
    }
}

impl State {
    fn wake(&mut self) {
        if self.core.has_woken() {
            for token in self.core.take_woken() {
                if let Some(session) = self.sessions.get(&token) {
                    session.notify_one();
                }
            }
        }
    }
}

/// The in-process handle: one client's requests, answered in order.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = sim::Broker::start()?;
/// // ApiVersions, version 0: key, version, correlation id 7, no client id.
/// let request = [0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
/// let response = broker.session().request(request.to_vec().into()).await?.expect("an answer");
/// assert_eq!(response[..4], [0, 0, 0, 7]);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    hub: Arc<Hub>,
    origin: Origin,
    woken: Arc<Notify>,
    outbox: Outbox,
}

/// A request after which this session, like a connection, is of no further use.
#[derive(Debug, thiserror::Error)]
#[error("the broker closed the session: {0}")]
pub struct SessionClosed(#[from] pub Fatal);

impl Session {
    /// Sends one request (header and body, without the size) and awaits its response (header and
    /// body, without the size); `None` where the protocol has none (Produce with acks=0).
    ///
    /// # Errors
    /// What would close a connection: malformed requests, unknown APIs and versions.
    pub async fn request(&mut self, frame: Bytes) -> Result<Option<Bytes>, SessionClosed> {
        // A request whose future was dropped must not be answered in place of this one.
        self.hub.lock().core.forget(self.origin.token);
        let mut outbox = std::mem::take(&mut self.outbox);
        let answered = self.answer(&frame, &mut outbox).await;
        let response = outbox.to_bytes();
        outbox.clear();
        self.outbox = outbox;
        answered?;
        Ok((!response.is_empty()).then(|| response.slice(4..)))
    }

    async fn answer(&self, frame: &Bytes, outbox: &mut Outbox) -> Result<(), Fatal> {
        let mut progress = self.submit(frame, outbox)?;
        while progress == Progress::Waiting {
            self.woken().await;
            progress = self.resume(outbox)?;
        }
        Ok(())
    }

    /// Hands a request to the core.
    pub(crate) fn submit(&self, frame: &Bytes, outbox: &mut Outbox) -> Result<Progress, Fatal> {
        self.hub.with_core(|core, clock| core.request(&self.origin, frame, clock.now(), outbox))
    }

    /// Resolves when a waiting request may have an answer.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Fetches the answer of a request that waited.
    pub(crate) fn resume(&self, outbox: &mut Outbox) -> Result<Progress, Fatal> {
        self.hub.with_core(|core, _| core.resume(self.origin.token, outbox))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.core.forget(self.origin.token);
        state.sessions.remove(&self.origin.token);
    }
}

/// Host and port of an address, as Metadata carries them.
pub(crate) fn host_and_port(address: SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}
