//! One virtual user: its connections, what it has captured, and its way through the steps.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use rand::RngExt as _;

use super::super::Given;
use super::super::expect::{Demand, Seen};
use super::super::template::{Scope, Source};
use super::plan::Step;
use super::{Asker, Records};
use crate::client::connection::{Connection, Trouble};
use crate::client::http::{Failure, Route, Times};
use crate::client::request;
use crate::client::wire::{Expected, Response};
use crate::scenario::Span;
use crate::vu::{Iteration, VirtualUser};

pub(super) struct User {
    asker: Rc<Asker>,
    /// From 1, over all shards.
    number: u32,
    address: Option<IpAddr>,
    /// One for each origin, while it is open.
    connections: Vec<Option<Connection>>,
    captured: Vec<String>,
    /// The step at which the last iteration ended early, and how it was answered.
    failed: Option<(usize, Result<u16, Failure>)>,
    /// The request that is being written, and its parts.
    request: Vec<u8>,
    path: Vec<u8>,
    body: Vec<u8>,
}

/// How a step went.
#[derive(Debug, Clone, Copy)]
struct Judged {
    status: u16,
    /// The status is one that was asked for.
    expected: bool,
    /// All demands hold, and all values are there.
    holds: bool,
}

impl VirtualUser for User {
    fn run(&mut self, iteration: Iteration) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.go(iteration))
    }
}

impl User {
    pub(super) fn new(asker: Rc<Asker>) -> Self {
        Self {
            number: asker.numbers.next_user(),
            address: asker.params.own_addresses.then(|| asker.context.shared.lease()),
            connections: Vec::new(),
            captured: Vec::new(),
            failed: None,
            request: Vec::new(),
            path: Vec::new(),
            body: Vec::new(),
            asker,
        }
    }

    /// Why the last iteration ended early, if it did.
    pub(super) fn failed(&self) -> Option<String> {
        let (at, answer) = self.failed?;
        let step = &self.asker.plan.steps.get(at)?.name;
        Some(match answer {
            Ok(status) => format!("step {step:?} does not hold: it was answered {status}"),
            Err(failure) => format!("step {step:?} got no answer ({})", failure.name()),
        })
    }

    /// All values with their names.
    pub(super) fn into_captured(self) -> Given {
        self.asker.plan.values.iter().cloned().zip(self.captured).collect()
    }

    pub(super) async fn go(&mut self, iteration: Iteration) {
        let asker = Rc::clone(&self.asker);
        self.connections.resize_with(asker.targets().len(), || None);
        self.captured.clear();
        self.captured.extend(asker.context.given.iter().map(|(_, value)| value.clone()));
        self.captured.resize(asker.plan.values.len(), String::new());
        self.failed = None;
        let mut since = iteration.intended_start;
        let mut group_since = since;
        let steps = &asker.plan.steps;
        for (at, (step, records)) in steps.iter().zip(&asker.records).enumerate() {
            let group_of =
                |at: Option<usize>| steps.get(at?).and_then(|step| step.group.as_deref());
            let group = step.group.as_deref();
            if group != group_of(at.checked_sub(1)) {
                group_since = since;
            }
            let (answer, holds) = self.take(step, records, iteration, since).await;
            let goes_on = holds || step.go_on;
            if goes_on {
                self.pause(step.pause).await;
            }
            if let Some(trend) =
                records.group.filter(|_| !goes_on || group != group_of(Some(at + 1)))
            {
                asker.context.registry().observe(trend, group_since.elapsed());
            }
            if !goes_on {
                self.failed = Some((at, answer));
                return;
            }
            since = Instant::now();
        }
    }

    async fn pause(&self, pause: Span) {
        if pause.to.is_zero() {
            return;
        }
        let share: f64 = self.asker.context.shared.rng.borrow_mut().random();
        tokio::time::sleep(pause.from + (pause.to - pause.from).mul_f64(share)).await;
    }

    /// One step, whose response time counts from `since`: how it was answered, and whether all of it holds.
    async fn take(
        &mut self,
        step: &Step,
        records: &Records,
        iteration: Iteration,
        since: Instant,
    ) -> (Result<u16, Failure>, bool) {
        self.write(step, iteration);
        let asker = Rc::clone(&self.asker);
        let mut times = Times::begin();
        let deadline = times.started + asker.params.timeout;
        let asking = self.ask(step, records, iteration, since, &mut times);
        let asked = tokio::time::timeout_at(deadline.into(), asking).await;
        match asked.unwrap_or(Err(Failure::Timeout)) {
            Ok(Judged { status, expected, holds }) => {
                records.samples.record(Ok(status), &times, since, expected);
                (Ok(status), holds)
            }
            Err(failure) => {
                times.ended = Instant::now();
                records.samples.record(Err(failure), &times, since, false);
                records.demands.iter().chain(&records.captures).for_each(|check| {
                    check.that(false);
                });
                (Err(failure), false)
            }
        }
    }

    /// Puts the step's request together.
    fn write(&mut self, step: &Step, iteration: Iteration) {
        let asker = Rc::clone(&self.asker);
        let sequence = || asker.numbers.next_in_sequence();
        let scope = scope(&asker, &sequence, self.number, iteration, &self.captured);
        self.request.clear();
        self.path.clear();
        self.body.clear();
        step.path.render(&scope, &mut self.path);
        let Some(route) = route(&asker, step.origin, self.address) else { return };
        let mut out = std::mem::take(&mut self.request);
        request::begin(&mut out, step.method.as_bytes(), &route, &self.path);
        for (name, value) in &step.headers {
            request::header_with(&mut out, name.as_bytes(), |out| value.render(&scope, out));
        }
        if !asker.params.reuse_connections {
            request::header(&mut out, b"connection", b"close");
        }
        if let Some(body) = &step.body {
            body.render(&scope, &mut self.body);
        }
        if step.body.is_some() || matches!(step.method.as_str(), "POST" | "PUT" | "PATCH") {
            request::content_length(&mut out, self.body.len());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        self.request = out;
    }

    /// Sends what was written and judges the answer. A connection that the other side had closed meanwhile is replaced
    /// where the request may be repeated.
    async fn ask(
        &mut self,
        step: &Step,
        records: &Records,
        iteration: Iteration,
        since: Instant,
        times: &mut Times,
    ) -> Result<Judged, Failure> {
        let asker = Rc::clone(&self.asker);
        let expected = Expected {
            no_body: step.method == "HEAD",
            largest_body: asker.params.largest_body_bytes as usize,
        };
        loop {
            let mut connection = self.connection(step.origin, times).await?;
            let (number, captured) = (self.number, &mut self.captured);
            let judge = |response: Response<'_>, now: Instant| {
                let judge = Judge { asker: &asker, step, records, number, iteration };
                judge.judge(&response, now - since, captured)
            };
            match connection.exchange(&self.request, expected, judge).await {
                Ok((judged, moments)) => {
                    times.note(moments);
                    if asker.params.reuse_connections && connection.is_reusable() {
                        self.connections[step.origin] = Some(connection);
                    }
                    return Ok(judged);
                }
                // A new connection cannot be stale: this ends.
                Err(Trouble::Stale) if step.may_repeat => {}
                Err(trouble) => {
                    tracing::debug!(step = step.name, %trouble, "no answer");
                    return Err(Failure::Broken);
                }
            }
        }
    }

    /// The user's connection to an origin, a new one where there is none that can be used.
    async fn connection(
        &mut self,
        origin: usize,
        times: &mut Times,
    ) -> Result<Connection, Failure> {
        let kept = self.connections.get_mut(origin).and_then(Option::take);
        if let Some(connection) = kept.filter(|connection| !connection.has_ended()) {
            return Ok(connection);
        }
        let route = route(&self.asker, origin, self.address).ok_or(Failure::Connect)?;
        let buffer = &self.asker.context.shared.read_buffer;
        let connection = Connection::open(&route, buffer).await?;
        times.connected = Some(Instant::now());
        Ok(connection)
    }
}

fn route(asker: &Asker, origin: usize, client: Option<IpAddr>) -> Option<Route<'_>> {
    let target = asker.targets().get(origin)?;
    Some(Route { target, client, traffic: &asker.context.traffic })
}

fn scope<'a>(
    asker: &'a Asker,
    sequence: &'a dyn Fn() -> u64,
    virtual_user: u32,
    iteration: Iteration,
    captured: &'a [String],
) -> Scope<'a> {
    let source = Source { rng: &asker.context.shared.rng, sequence };
    Scope { source, iteration: iteration.number, virtual_user, captured }
}

/// Who looks at an answer.
struct Judge<'a> {
    asker: &'a Asker,
    step: &'a Step,
    records: &'a Records,
    number: u32,
    iteration: Iteration,
}

impl Judge<'_> {
    fn judge(&self, response: &Response<'_>, took: Duration, captured: &mut [String]) -> Judged {
        let Response { status, body, .. } = *response;
        let header = |name: &str| response.header(name);
        let seen = Seen { status, header: &header, body, took };
        let sequence = || self.asker.numbers.next_in_sequence();
        let mut expected = (200..400).contains(&status);
        let mut holds = true;
        {
            let scope = scope(self.asker, &sequence, self.number, self.iteration, captured);
            for ((_, demand), check) in self.step.demands.iter().zip(&self.records.demands) {
                let met = check.that(demand.holds(&seen, &scope));
                holds &= met;
                if let Demand::Status(_) = demand {
                    expected = met;
                }
            }
        }
        for ((place, finder), check) in self.step.captures.iter().zip(&self.records.captures) {
            let found = finder.find(&seen);
            holds &= check.that(found.is_some());
            if let (Some(value), Some(slot)) = (found, captured.get_mut(*place)) {
                *slot = value;
            }
        }
        Judged { status, expected, holds: holds && expected }
    }
}
