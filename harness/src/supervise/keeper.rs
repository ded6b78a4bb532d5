//! Keeps one child alive: whatever ends it, it is started again on the same port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use contract::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::child::{Child, ChildSpec, Ports, StartError};
use super::ports;

/// Starts in a row that may fail before the child is given up.
const ATTEMPTS: u32 = 6;
/// The pause after the first failed start, doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A kill that has happened.
#[derive(Debug, Clone)]
pub struct Kill {
    pub name: String,
    /// Just before the signal.
    pub at: Timestamp,
    /// The process is gone: what is stamped after this comes from its successor.
    pub gone_at: Timestamp,
    /// How long it is left dead.
    pub down_for: Duration,
}

/// A restart that has happened.
#[derive(Debug, Clone, Copy)]
pub struct Restart {
    /// From being told to stop until it was gone.
    pub stopped_in: Duration,
    /// It went by itself, and was not killed for taking too long.
    pub in_order: bool,
    /// From its new start until it did its work.
    pub ready_in: Duration,
}

/// What can be done to a child that lives.
#[derive(Debug)]
enum Order {
    /// Kill, and start again after so long.
    Kill(Duration, oneshot::Sender<Kill>),
    /// Stop, and start again after so long.
    Restart(Duration, oneshot::Sender<Restart>),
}

/// One supervised child.
#[derive(Debug)]
pub struct Keeper {
    pub name: String,
    pub address: SocketAddr,
    /// Where its metrics and management are.
    pub management: Option<SocketAddr>,
    /// 0 while there is none.
    pid: Arc<AtomicU32>,
    deaths: Arc<AtomicU32>,
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the child. What happens to it later is told on `notices`.
    ///
    /// # Errors
    /// It does not start the first time: nothing is retried then.
    pub async fn start(
        spec: ChildSpec,
        notices: mpsc::UnboundedSender<String>,
    ) -> Result<Self, StartError> {
        let child = first_child(&spec).await?;
        let (orders, given) = mpsc::channel(1);
        let (name, address, management) = (spec.name.clone(), child.address, child.management);
        let pid = Arc::new(AtomicU32::new(child.pid));
        let deaths = Arc::new(AtomicU32::new(0));
        let stop = CancellationToken::new();
        let life = Life {
            spec,
            ports: Ports {
                public: address.port(),
                management: management.map(|address| address.port()),
            },
            pid: Arc::clone(&pid),
            deaths: Arc::clone(&deaths),
            notices,
        };
        let task = tokio::spawn(life.live(child, given, stop.clone()));
        Ok(Self { name, address, management, pid, deaths, orders, stop, task })
    }

    /// `None` while the child is dead.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// How often the child ended without being asked to stop.
    #[must_use]
    pub fn deaths(&self) -> u32 {
        self.deaths.load(Ordering::Relaxed)
    }

    /// SIGKILL. Returns when the process is gone; its successor is on its way then, or will be after
    /// `down_for`. `None` when the child was given up.
    pub async fn kill(&self, down_for: Duration) -> Option<Kill> {
        let (done, killed) = oneshot::channel();
        self.orders.send(Order::Kill(down_for, done)).await.ok()?;
        killed.await.ok()
    }

    /// SIGTERM, and a new start on the same ports `away` after it is gone. Returns when the successor does
    /// its work. `None` when the child was given up.
    pub async fn restart(&self, away: Duration) -> Option<Restart> {
        let (done, restarted) = oneshot::channel();
        self.orders.send(Order::Restart(away, done)).await.ok()?;
        restarted.await.ok()
    }

    /// SIGTERM, and SIGKILL after a deadline. Returns when the child is gone.
    pub async fn stop(self) {
        self.stop.cancel();
        // The task cannot be cancelled from elsewhere, and it does not panic.
        let _ = self.task.await;
    }
}

/// The first of its name.
async fn first_child(spec: &ChildSpec) -> Result<Child, StartError> {
    let mut attempt = 1;
    loop {
        let ports = spec.ports().or_else(ports::lasting);
        match Child::start(spec, ports).await {
            // Another process has taken a port since it was chosen.
            Err(StartError::Refused { .. })
                if attempt < ATTEMPTS && !ports.chosen_beside(spec.ports()).all(ports::is_free) =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

struct Life {
    spec: ChildSpec,
    ports: Ports,
    pid: Arc<AtomicU32>,
    deaths: Arc<AtomicU32>,
    notices: mpsc::UnboundedSender<String>,
}

/// How a child ended that is to be started again.
struct Gone {
    in_order: bool,
    stopped_in: Duration,
    /// How long it stays away.
    away: Duration,
    restarted: Option<oneshot::Sender<Restart>>,
}

impl Gone {
    const fn died(away: Duration) -> Self {
        Self { in_order: false, stopped_in: Duration::ZERO, away, restarted: None }
    }
}

impl Life {
    async fn live(
        self,
        mut child: Child,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) {
        loop {
            let gone = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    if !child.stop().await {
                        self.notice("did not stop in time and was killed");
                    }
                    return;
                }
                Some(order) = orders.recv() => self.carry_out(order, child).await,
                status = child.exited() => {
                    let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                    self.notice(&format!("died{status} and is started again"));
                    Gone::died(Duration::ZERO)
                }
            };
            self.pid.store(0, Ordering::Relaxed);
            self.deaths.fetch_add(u32::from(!gone.in_order), Ordering::Relaxed);
            let next = async {
                tokio::time::sleep(gone.away).await;
                let starting = Instant::now();
                Some((self.start_again().await?, starting.elapsed()))
            };
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                next = next => next,
            };
            let Some((next, ready_in)) = next else { return };
            self.pid.store(next.pid, Ordering::Relaxed);
            child = next;
            if let Some(restarted) = gone.restarted {
                let (stopped_in, in_order) = (gone.stopped_in, gone.in_order);
                // As with a kill.
                let _ = restarted.send(Restart { stopped_in, in_order, ready_in });
            }
        }
    }

    /// Ends the child as it was ordered.
    async fn carry_out(&self, order: Order, mut child: Child) -> Gone {
        match order {
            Order::Kill(down_for, done) => {
                let at = Timestamp::from(SystemTime::now());
                child.kill().await;
                let gone_at = Timestamp::from(SystemTime::now());
                // Nobody may be waiting for the answer any more.
                let name = self.spec.name.clone();
                let _ = done.send(Kill { name, at, gone_at, down_for });
                Gone::died(down_for)
            }
            Order::Restart(away, restarted) => {
                let stopping = Instant::now();
                let in_order = child.stop().await;
                Gone { in_order, stopped_in: stopping.elapsed(), away, restarted: Some(restarted) }
            }
        }
    }

    async fn start_again(&self) -> Option<Child> {
        for attempt in 0..ATTEMPTS {
            match Child::start(&self.spec, self.ports).await {
                Ok(child) => return Some(child),
                Err(error) => {
                    self.notice(&format!("does not come back: {error}"));
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
                }
            }
        }
        self.notice("was given up");
        None
    }

    fn notice(&self, what: &str) {
        // Whoever listened may have gone home before us.
        let _ = self.notices.send(format!("{} {what}", self.spec.name));
    }
}
