//! Recording what requests and checks did.

use std::cell::RefCell;
use std::time::Instant;

use super::context::Context;
use crate::client::http::{Failure, Times};
use crate::metrics::{CounterId, RateId, Registry, TrendId, names};

/// The samples of one kind of request (`name`) of one scenario.
pub(crate) struct RequestSamples {
    registry: Registry,
    tags: Vec<(String, String)>,
    failed: RateId,
    availability: RateId,
    failovers: CounterId,
    /// One for every status and error that has occurred: few, so a search is a glance.
    series: RefCell<Vec<(Kind, Series)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// 0 without an answer.
    status: u16,
    error: Option<&'static str>,
    expected: bool,
}

#[derive(Clone, Copy)]
struct Series {
    requests: CounterId,
    duration: TrendId,
    service_time: TrendId,
    connecting: TrendId,
    sending: TrendId,
    waiting: TrendId,
    receiving: TrendId,
}

impl RequestSamples {
    pub(crate) fn new(context: &Context, name: &str, method: &str) -> Self {
        let tags = context.tags(&[("name", name), ("method", method)]);
        let registry = context.registry().clone();
        Self {
            failed: registry.rate(names::HTTP_REQ_FAILED, &tags),
            availability: registry.rate(names::AVAILABILITY, &tags),
            failovers: registry.counter(names::FAILOVERS, &context.tags(&[("name", name)])),
            tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            series: RefCell::default(),
            registry,
        }
    }

    /// One request and the status of its answer. Its response time counts from `intended`; `expected` says whether
    /// the answer is one that the flow takes for success.
    pub(crate) fn record(
        &self,
        outcome: Result<u16, Failure>,
        times: &Times,
        intended: Instant,
        expected: bool,
    ) {
        let kind = match outcome {
            Ok(status) => Kind { status, error: None, expected },
            Err(failure) => Kind { status: 0, error: Some(failure.name()), expected },
        };
        let series = self.series(kind);
        let Self { registry, .. } = self;
        registry.add(series.requests, 1);
        registry.record(self.failed, !expected);
        registry.observe(series.duration, times.ended - intended);
        registry.observe(series.service_time, times.ended - times.started);
        if let Some(connected) = times.connected {
            registry.observe(series.connecting, connected - times.started);
        }
        if let Some((sent, answered)) = times.sent.zip(times.answered) {
            let before = times.connected.unwrap_or(times.started);
            registry.observe(series.sending, sent - before);
            registry.observe(series.waiting, answered - sent);
            registry.observe(series.receiving, times.ended - answered);
        }
    }

    /// One operation with all its retries.
    pub(crate) fn record_availability(&self, succeeded: bool) {
        self.registry.record(self.availability, succeeded);
    }

    /// A request that goes on to another instance.
    pub(crate) fn record_failover(&self) {
        self.registry.add(self.failovers, 1);
    }

    fn series(&self, kind: Kind) -> Series {
        let known = self.series.borrow().iter().find(|(known, _)| *known == kind).copied();
        if let Some((_, series)) = known {
            return series;
        }
        let status = kind.status.to_string();
        let mut tags: Vec<_> = self.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        tags.push(("status", &status));
        tags.push(("expected_response", if kind.expected { "true" } else { "false" }));
        tags.extend(kind.error.map(|error| ("error", error)));
        let series = Series {
            requests: self.registry.counter(names::HTTP_REQS, &tags),
            duration: self.registry.trend(names::HTTP_REQ_DURATION, &tags),
            service_time: self.registry.trend(names::HTTP_REQ_SERVICE_TIME, &tags),
            connecting: self.registry.trend(names::HTTP_REQ_CONNECTING, &tags),
            sending: self.registry.trend(names::HTTP_REQ_SENDING, &tags),
            waiting: self.registry.trend(names::HTTP_REQ_WAITING, &tags),
            receiving: self.registry.trend(names::HTTP_REQ_RECEIVING, &tags),
        };
        self.series.borrow_mut().push((kind, series));
        series
    }
}

/// One check in k6's sense: it counts, and fails nothing by itself.
pub(crate) struct Check {
    registry: Registry,
    rate: RateId,
}

impl Check {
    pub(crate) fn new(context: &Context, name: &str) -> Self {
        let registry = context.registry().clone();
        let rate = registry.rate(names::CHECKS, &context.tags(&[("check", name)]));
        Self { registry, rate }
    }

    /// Counts, and passes `holds` on.
    pub(crate) fn that(&self, holds: bool) -> bool {
        self.registry.record(self.rate, holds);
        holds
    }
}
