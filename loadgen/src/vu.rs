//! The engine's only view of the work that it makes happen. The shop's flows implement it; so may
//! anything else that can be told to run once.

use std::time::Instant;

use futures_util::future::LocalBoxFuture;

/// One start of a virtual user.
#[derive(Debug, Clone, Copy)]
pub struct Iteration {
    /// Within its scenario and over all shards, from 0.
    pub number: u64,
    /// When the schedule wanted it to start. In closed models, when it started.
    pub intended_start: Instant,
    /// When it started.
    pub started: Instant,
}

/// One user. Keeps what it likes from one iteration to the next, and runs one at a time.
pub trait VirtualUser {
    /// Runs one iteration. May be dropped at any await, when the time for stopping gracefully is over.
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()>;
}

/// What makes the virtual users of one scenario.
pub trait Work {
    /// Called once before the phase starts.
    fn set_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn virtual_user(&self) -> Box<dyn VirtualUser>;

    /// Called once when no virtual user runs any more.
    fn tear_down(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
