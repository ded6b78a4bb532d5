//! A request with the patience of its user: errors that may pass are retried.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use rand::RngExt;

use super::context::Context;
use super::params::Patience;
use super::samples::RequestSamples;
use crate::client::http::{Exchange, Reply, exchange};
use crate::client::target::Target;

/// Between two attempts, doubled each time up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Who asks whom, and how patiently.
pub(crate) struct Asking<'a> {
    pub(crate) context: &'a Context,
    pub(crate) samples: &'a RequestSamples,
    pub(crate) target: &'a Target,
    pub(crate) client: IpAddr,
    pub(crate) patience: Patience,
    /// Whether an answer is what the user came for.
    pub(crate) expected: fn(StatusCode) -> bool,
}

/// How a request ended, after all attempts.
pub(crate) struct Answer {
    /// The last attempt's.
    pub(crate) reply: Option<Reply>,
    /// Whether some attempt without a clear answer may have had an effect.
    pub(crate) in_doubt: bool,
}

impl Answer {
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.reply.as_ref().map(|reply| reply.status)
    }
}

impl Asking<'_> {
    /// Asks until there is an answer other than "not now", or patience ends. The first attempt's response time
    /// counts from `intended`.
    pub(crate) async fn ask(&self, request: &Request<Full<Bytes>>, intended: Instant) -> Answer {
        let mut pauses = Pauses::new(self.patience.retry_for);
        let (mut since, mut in_doubt) = (intended, false);
        loop {
            let route = self.context.route(self.target, self.client);
            let done = exchange(&route, request.clone(), self.patience.timeout).await;
            let status = done.outcome.as_ref().ok().map(|reply| reply.status);
            let expected = status.is_some_and(self.expected);
            self.samples.record(&done, since, expected);
            let passing = may_pass(&done);
            in_doubt |= passing && done.may_have_arrived;
            if passing && pauses.wait(self.context).await {
                since = Instant::now();
                continue;
            }
            self.samples.record_availability(expected);
            return Answer { reply: done.outcome.ok(), in_doubt };
        }
    }
}

/// Whether asking again may help: no answer, or one that blames the server.
fn may_pass(exchange: &Exchange) -> bool {
    exchange.outcome.as_ref().map_or(true, |reply| reply.status.is_server_error())
}

/// The pauses between attempts.
pub(crate) struct Pauses {
    give_up: Instant,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(retry_for: Duration) -> Self {
        Self { give_up: Instant::now() + retry_for, next: FIRST_PAUSE }
    }

    /// Waits before the next attempt; false when there is to be none.
    pub(crate) async fn wait(&mut self, context: &Context) -> bool {
        // Up to a half more, so that users who failed together do not come back together.
        let jitter = context.shared.rng.borrow_mut().random_range(1.0..1.5);
        let pause = self.next.mul_f64(jitter);
        let left = self.give_up.saturating_duration_since(Instant::now());
        if left < self.next {
            return false;
        }
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        tokio::time::sleep(pause.min(left)).await;
        true
    }
}
