//! One absolute-deadline timer per shard, to the microsecond.
//!
//! The runtime's own timers are a wheel of milliseconds and fire about one late, which would be the
//! greater part of what the fast requests measure. A timerfd in the same event loop has no such grain, needs
//! no second thread and never spins.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

/// Wakes whoever waits for a moment. Clones share the timer.
#[derive(Clone)]
pub(crate) struct Pacer(Rc<Shared>);

struct Shared {
    timer: AsyncFd<Timer>,
    sleepers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_id: Cell<u64>,
    /// The moment for which the timer is set.
    armed: Cell<Option<Instant>>,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Pacer {
    /// Must be called within the shard's runtime.
    ///
    /// # Errors
    /// When there is no file descriptor left for the timer.
    pub(crate) fn start() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(deprecated, reason = "the timer owns its descriptor, and the successor is unsafe")]
        let timer = AsyncFd::new(Timer(timer))?;
        let shared = Rc::new(Shared {
            timer,
            sleepers: RefCell::default(),
            next_id: Cell::new(0),
            armed: Cell::new(None),
        });
        Ok(Self(shared))
    }

    /// Wakes sleepers for as long as it is polled. To be polled by the runtime's main future: that one goes
    /// before all tasks that are ready, so a start that is due does not queue behind a hundred answers.
    pub(crate) async fn wake_sleepers(&self) {
        loop {
            let Ok(mut guard) = self.0.timer.readable().await else { return };
            // Events come at edges: setting the timer anew takes the expiry away, and saves reading it.
            guard.clear_ready();
            self.0.armed.set(None);
            self.0.wake_due(Instant::now());
        }
    }

    /// Completes at `deadline`, at once if that is past.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        let id = self.0.next_id.replace(self.0.next_id.get() + 1);
        Sleep { shared: self.0.clone(), key: (deadline, id), waits: false }
    }
}

impl Shared {
    fn wake_due(&self, now: Instant) {
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(first) = sleepers.first_entry() {
            let (deadline, _) = *first.key();
            if deadline > now {
                drop(sleepers);
                return self.arm(deadline, now);
            }
            first.remove().wake();
        }
    }

    fn arm(&self, deadline: Instant, now: Instant) {
        if self.armed.get().is_some_and(|armed| armed <= deadline) {
            return;
        }
        self.armed.set(Some(deadline));
        // Zero would switch the timer off.
        let wait = deadline.saturating_duration_since(now).max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        if let Err(error) = self.timer.get_ref().0.set(expiration, TimerSetTimeFlags::empty()) {
            tracing::error!(%error, "cannot set the pacer's timer");
        }
    }
}

/// See [`Pacer::sleep_until`].
pub(crate) struct Sleep {
    shared: Rc<Shared>,
    key: (Instant, u64),
    waits: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (deadline, _) = self.key;
        let now = Instant::now();
        if deadline <= now {
            return Poll::Ready(());
        }
        self.waits = true;
        self.shared.sleepers.borrow_mut().insert(self.key, cx.waker().clone());
        self.shared.arm(deadline, now);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.waits {
            self.shared.sleepers.borrow_mut().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        let woken = runtime.block_on(async {
            let pacer = Pacer::start().unwrap();
            let start = Instant::now();
            let woken = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = [3_u64, 1, 2, 0]
                .into_iter()
                .map(|millis| {
                    let (pacer, woken) = (pacer.clone(), woken.clone());
                    tokio::task::spawn_local(async move {
                        let deadline = start + Duration::from_millis(millis);
                        pacer.sleep_until(deadline).await;
                        assert!(Instant::now() >= deadline);
                        woken.borrow_mut().push(millis);
                    })
                })
                .collect();
            let all = async {
                for task in tasks {
                    task.await.unwrap();
                }
            };
            tokio::select! {
                () = all => {}
                () = pacer.wake_sleepers() => panic!("the pacer stopped"),
            }
            woken.take()
        });
        assert_eq!(woken, [0, 1, 2, 3]);
    }
}
