//! `ramping-vus`: users that run iteration after iteration, as many as the stages say.
//!
//! A user that is sent home ends its iteration, within `gracefulRampDown`:
//!
//! | state | called back | sent home | its time is over |
//! |---|---|---|---|
//! | works | – | leaves by now + `gracefulRampDown` | – |
//! | leaves, iteration running | works | – | iteration is cut off, rests |
//! | rests | works | – | – |

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Run;
use super::schedule::vu_steps;
use crate::scenario::Stage;

pub(super) async fn run(run: &Run, start_vus: u32, stages: &[Stage], graceful_ramp_down: Duration) {
    let end = stages.iter().map(|stage| stage.duration).sum();
    let mut crew = Crew { run, ramp_down: graceful_ramp_down, posts: Vec::new(), working: 0 };
    crew.resize(run.stripe.share(start_vus));
    for (at, count) in vu_steps(start_vus, stages) {
        if !run.wait_until(at).await {
            break;
        }
        crew.resize(run.stripe.share(count));
    }
    run.wait_until(end).await;
    crew.posts.iter().for_each(|post| post.order(Order::GoHome));
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Work,
    LeaveBy(Instant),
    /// The scenario is over: end the running iteration, start no other.
    GoHome,
}

/// What one user has been told.
struct Post {
    order: Cell<Order>,
    changed: Notify,
}

impl Post {
    fn order(&self, order: Order) {
        self.order.set(order);
        self.changed.notify_one();
    }

    /// Completes when the time to leave is over.
    async fn expired(&self) {
        loop {
            let changed = self.changed.notified();
            match self.order.get() {
                Order::LeaveBy(deadline) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(deadline.into()) => return,
                },
                _ => changed.await,
            }
        }
    }

    /// Completes when there is work again; false when there will be none.
    async fn called(&self) -> bool {
        loop {
            match self.order.get() {
                Order::Work => return true,
                Order::GoHome => return false,
                Order::LeaveBy(_) => self.changed.notified().await,
            }
        }
    }
}

struct Crew<'a> {
    run: &'a Run,
    ramp_down: Duration,
    posts: Vec<Rc<Post>>,
    working: usize,
}

impl Crew<'_> {
    fn resize(&mut self, count: u32) {
        let count = count as usize;
        for index in self.working..count {
            match self.posts.get(index) {
                Some(post) => post.order(Order::Work),
                None => self.hire(),
            }
        }
        let deadline = Instant::now() + self.ramp_down;
        for post in self.posts.get(count..self.working).unwrap_or_default() {
            post.order(Order::LeaveBy(deadline));
        }
        self.working = count;
    }

    fn hire(&mut self) {
        let Some(mut vu) = self.run.pool.take() else { return };
        let post = Rc::new(Post { order: Cell::new(Order::Work), changed: Notify::new() });
        self.posts.push(Rc::clone(&post));
        let (pool, stop) = (Rc::clone(&self.run.pool), self.run.stop.clone());
        self.run.pool.spawn(async move {
            while !stop.is_cancelled() && post.called().await && !stop.is_cancelled() {
                tokio::select! {
                    biased;
                    () = post.expired() => {}
                    () = pool.run_now(vu.as_mut()) => {}
                }
            }
            pool.give_back(vu);
        });
    }
}
