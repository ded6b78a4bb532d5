//! A request with the patience of its user: errors that may pass are retried.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::StatusCode;
use rand::RngExt;

use super::context::Context;
use super::params::Patience;
use super::samples::RequestSamples;
use crate::client::http::{Exchange, Failure, Reply, exchange};
use crate::client::instances::Turn;
use crate::client::request::Request;

/// Between two attempts, doubled each time up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Who asks whom, and how patiently.
pub(crate) struct Asking<'a> {
    pub(crate) context: &'a Context,
    pub(crate) samples: &'a RequestSamples,
    /// The instance that is asked first.
    pub(crate) turn: Turn<'a>,
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
    /// Who gave the last answer, from 0.
    pub(crate) instance: usize,
}

impl Answer {
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.reply.as_ref().map(|reply| reply.status)
    }
}

impl Asking<'_> {
    /// Asks until there is an answer other than "not now", or patience ends; each attempt begins with the next
    /// instance. The first attempt's response time counts from `intended`.
    pub(crate) async fn ask(&self, request: &Request<'_>, intended: Instant) -> Answer {
        let mut pauses = Pauses::new(self.patience.retry_for);
        let (mut turn, mut since, mut in_doubt) = (self.turn, intended, false);
        loop {
            let done = self.attempt(&mut turn, request).await;
            let status = done.outcome.as_ref().ok().map(|reply| reply.status);
            let expected = status.is_some_and(self.expected);
            self.samples.record(status_of(&done), &done.times, since, expected);
            let passing = may_pass(&done);
            in_doubt |= passing && done.may_have_arrived;
            if passing && pauses.wait(self.context).await {
                turn.pass_on();
                since = Instant::now();
                continue;
            }
            self.samples.record_availability(expected);
            return Answer { reply: done.outcome.ok(), in_doubt, instance: turn.index() };
        }
    }

    /// One request, as its user sees it: an instance that is not there hands it to the next at once, as a
    /// balancer in front of them would. Where all are gone the last one's failure counts.
    async fn attempt(&self, turn: &mut Turn<'_>, request: &Request<'_>) -> Exchange {
        let mut may_have_arrived = false;
        let mut started = None;
        let mut left = turn.count();
        loop {
            let route = self.context.route(turn.target(), self.client);
            let request = request.encode(&route);
            let buffer = &self.context.shared.read_buffer;
            let mut done = exchange(&route, &request, buffer, self.patience.timeout).await;
            left -= 1;
            may_have_arrived |= done.may_have_arrived;
            done.may_have_arrived = may_have_arrived;
            done.times.started = *started.get_or_insert(done.times.started);
            if left == 0 || !is_away(&done) {
                return done;
            }
            self.samples.record_failover();
            turn.pass_on();
        }
    }
}

fn status_of(exchange: &Exchange) -> Result<u16, Failure> {
    exchange.outcome.as_ref().map(|reply| reply.status.as_u16()).map_err(|failure| *failure)
}

/// Whether this instance is not there, or says that it does not serve now: another one may.
fn is_away(exchange: &Exchange) -> bool {
    match &exchange.outcome {
        Ok(reply) => reply.status == StatusCode::SERVICE_UNAVAILABLE,
        Err(failure) => *failure == Failure::Connect,
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
