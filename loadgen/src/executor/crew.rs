//! The users of a closed model: each runs iteration after iteration, and there are as many as wanted.
//!
//! A user that is sent home ends its iteration, within the time that it is given:
//!
//! | state | called back | sent home | its time is over |
//! |---|---|---|---|
//! | works | – | leaves | – |
//! | leaves, iteration running | works | – | iteration is cut off, rests |
//! | rests | works | – | – |
//!
//! When the scenario is over all go home: iterations that run have `gracefulStop` from then on, those of users
//! that had been sent home before only what they were given.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Run;

/// What the users of one scenario may do.
pub(super) struct Terms {
    /// No iteration starts after this, in the scenario's time.
    pub(super) end: Duration,
    /// What a user that is sent home has to end its iteration; none: as long as it takes.
    pub(super) ramp_down: Option<Duration>,
    /// Iterations that all of them together may start; none: as many as they can.
    pub(super) quota: Option<Rc<Quota>>,
}

/// Iterations that are left to be started.
pub(super) struct Quota {
    left: Cell<u64>,
    empty: Notify,
}

impl Quota {
    pub(super) fn new(iterations: u64) -> Rc<Self> {
        Rc::new(Self { left: Cell::new(iterations), empty: Notify::new() })
    }

    pub(super) fn left(&self) -> u64 {
        self.left.get()
    }

    fn take(&self) -> bool {
        let left = self.left.get();
        if left <= 1 {
            self.empty.notify_one();
        }
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Completes when none are left.
    pub(super) async fn used_up(&self) {
        while self.left() > 0 {
            self.empty.notified().await;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Work,
    /// Start no iteration until called back.
    Leave,
    /// The scenario is over: start no other.
    GoHome,
}

/// What one user has been told.
struct Post {
    order: Cell<Order>,
    /// When the iteration of one that was told to leave is cut off.
    deadline: Cell<Option<Instant>>,
    changed: Notify,
}

impl Post {
    fn order(&self, order: Order, deadline: Option<Instant>) {
        self.order.set(order);
        self.deadline.set(deadline);
        self.changed.notify_one();
    }

    /// Completes when the time to leave is over.
    async fn expired(&self) {
        loop {
            let changed = self.changed.notified();
            match self.deadline.get() {
                Some(deadline) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(deadline.into()) => return,
                },
                None => changed.await,
            }
        }
    }

    /// Completes when there is work again; false when there will be none.
    async fn called(&self) -> bool {
        loop {
            match self.order.get() {
                Order::Work => return true,
                Order::GoHome => return false,
                Order::Leave => self.changed.notified().await,
            }
        }
    }
}

/// All users that a scenario has had so far. The first `working` of them are to work.
pub(super) struct Crew<'a> {
    run: &'a Run,
    terms: Rc<Terms>,
    posts: RefCell<Vec<Rc<Post>>>,
    working: Cell<usize>,
}

impl<'a> Crew<'a> {
    pub(super) fn new(run: &'a Run, terms: Terms) -> Self {
        Self { run, terms: Rc::new(terms), posts: RefCell::default(), working: Cell::new(0) }
    }

    /// Lets this shard's share of `count` users work, changed as the rate is.
    pub(super) fn resize(&self, count: u32) {
        let count = self.run.stripe.share(self.run.clock.rate().of(count)) as usize;
        let working = self.working.replace(count);
        for index in working..count {
            let post = self.posts.borrow().get(index).cloned();
            match post {
                Some(post) => post.order(Order::Work, None),
                None => self.hire(),
            }
        }
        let deadline = self.terms.ramp_down.map(|time| Instant::now() + time);
        for post in self.posts.borrow().get(count..working).unwrap_or_default() {
            post.order(Order::Leave, deadline);
        }
    }

    /// The scenario is over.
    pub(super) fn send_home(&self) {
        for post in self.posts.borrow().iter() {
            post.order(Order::GoHome, post.deadline.get());
        }
    }

    fn hire(&self) {
        let post = Rc::new(Post {
            order: Cell::new(Order::Work),
            deadline: Cell::new(None),
            changed: Notify::new(),
        });
        self.posts.borrow_mut().push(Rc::clone(&post));
        let (pool, clock) = (Rc::clone(&self.run.pool), self.run.clock.clone());
        let terms = Rc::clone(&self.terms);
        self.run.pool.spawn(async move {
            let mut user = None;
            loop {
                if post.order.get() != Order::Work
                    && let Some(vu) = user.take()
                {
                    // Who rests is not busy.
                    pool.give_back(vu);
                }
                if !(post.called().await && clock.is_open(terms.end).await) {
                    break;
                }
                if post.order.get() != Order::Work {
                    // It was sent home while the test was paused.
                    continue;
                }
                if user.is_none() {
                    user = pool.take();
                }
                let Some(vu) = &mut user else { break };
                if terms.quota.as_ref().is_some_and(|quota| !quota.take()) {
                    break;
                }
                tokio::select! {
                    biased;
                    () = post.expired() => {}
                    () = pool.run_now(vu.as_mut()) => {}
                }
            }
            if let Some(vu) = user {
                pool.give_back(vu);
            }
        });
    }
}
