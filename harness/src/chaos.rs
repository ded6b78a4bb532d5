//! Kills services by schedule, and tells how long their work stood still.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use contract::Timestamp;
use contract::topics::Topic;
use hyper::StatusCode;
use loadgen::course::Follow;
use loadgen::report::Recovery;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::audit::model::Model;
use crate::http::Connection;
use crate::service::Service;
use crate::settings::ChaosSettings;
use crate::supervise::{Instance, Kill, Shop};

/// A service that does not answer for this long has not come back.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// A well-formed id that no order has: the status service answers 404 once it knows every order.
const NOBODYS_ORDER: &str = "/status/00000000-0000-4000-8000-000000000000";

/// A kill that happened, as far as it can be told before the log is read.
#[derive(Debug)]
pub struct Victim {
    instance: Instance,
    kill: Kill,
    /// Since the load began.
    killed_at: Duration,
    /// The first answer of a service that writes nothing, since the kill.
    answered: Option<JoinHandle<Option<Duration>>>,
}

/// What a kill did, for the audit's report.
#[derive(Debug, Clone, Serialize)]
pub struct KillReport {
    pub service: &'static str,
    /// The process's name.
    pub instance: String,
    /// Since the load began.
    pub killed_at_ms: u64,
    /// Orders created, but not ended, at the moment of the kill.
    pub orders_in_flight: u64,
    /// How long it was left dead.
    pub down_for_ms: u64,
    /// From its end, or the end of the time that it was left dead, to the first effect of the successor.
    pub recovered_in_ms: Option<u64>,
}

/// Kills by schedule, in plan time, until it is through. What was done so far is in `victims`, so that this may be
/// dropped at any time.
pub async fn wreak(
    shop: &Shop,
    settings: &ChaosSettings,
    plan: &Follow,
    victims: &mut Vec<Victim>,
    notices: &mpsc::UnboundedSender<String>,
) {
    let mut hits: BTreeMap<Service, u32> = BTreeMap::new();
    for (due, target) in settings.schedule() {
        plan.reach(due).await;
        let before = hits.entry(target.service).or_default();
        let Some(instance) = target.pick(&shop.replicas, *before) else { continue };
        *before += 1;
        let killed_at = plan.elapsed();
        let Some(kill) = shop.kill(instance, settings.down_for).await else {
            let _ = notices.send(format!("{} is not there to be killed", instance.name()));
            continue;
        };
        let _ = notices.send(format!("{} killed", instance.name()));
        let answered = probe(instance).and_then(|path| {
            Some(tokio::spawn(first_answer(shop.url(instance)?, path, Instant::now())))
        });
        victims.push(Victim { instance, kill, killed_at, answered });
    }
}

/// The path that tells when an instance does its work again, where the log does not: of a service that
/// writes nothing, or whose other instances write what this one would have.
const fn probe(instance: Instance) -> Option<&'static str> {
    match instance.service {
        Service::Status => Some(NOBODYS_ORDER),
        Service::Gateway => Some("/ledger"),
        Service::Order if instance.of > 1 => Some("/ready"),
        _ => None,
    }
}

/// Asks until the service answers that it does its work: from one address after the other, since
/// each may ask only so often.
async fn first_answer(url: String, path: &'static str, killed: Instant) -> Option<Duration> {
    let mut attempt: u32 = 0;
    while killed.elapsed() < GIVEN_UP_AFTER {
        let [_, _, high, low] = (attempt + 1).to_be_bytes();
        attempt = (attempt + 1) % 60_000;
        let source = Ipv4Addr::new(127, 253, high, low);
        if let Ok(mut connection) = Connection::open(&url, Some(source)).await
            && let Ok((StatusCode::OK | StatusCode::NOT_FOUND, _)) = connection.get(path).await
        {
            return Some(killed.elapsed());
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
    None
}

/// Looks up in the log when each victim's successor began to have an effect: its first record.
pub async fn recoveries(victims: Vec<Victim>, model: &Model) -> Vec<(Recovery, KillReport)> {
    let mut found = Vec::with_capacity(victims.len());
    for victim in victims {
        let recovered_in = match victim.answered {
            // The probe ends by itself; it does not panic.
            Some(probe) => probe.await.ok().flatten(),
            None => first_effect(model, victim.instance, &victim.kill),
        };
        // What counts is the time since it was let live again.
        let recovered_in = recovered_in.map(|time| time.saturating_sub(victim.kill.down_for));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        found.push((
            Recovery { service: victim.instance.name(), killed_at: victim.killed_at, recovered_in },
            KillReport {
                service: victim.instance.service.name(),
                instance: victim.instance.name(),
                killed_at_ms: millis(victim.killed_at),
                orders_in_flight: in_flight(model, victim.kill.at),
                down_for_ms: millis(victim.kill.down_for),
                recovered_in_ms: recovered_in.map(millis),
            },
        ));
    }
    found
}

/// One line for each service that was killed. The report has a line for each kill besides.
#[must_use]
pub fn per_service(kills: &[KillReport]) -> Vec<String> {
    let line = |service: Service| {
        let name = service.name();
        let of_service = || kills.iter().filter(move |kill| kill.service == name);
        let in_flight = || of_service().map(|kill| kill.orders_in_flight);
        let (fewest, most) = (in_flight().min()?, in_flight().max()?);
        let slowest = of_service().map(|kill| kill.recovered_in_ms);
        // `None` is the least of all: a service that never came back must not look fast.
        let never = slowest.clone().any(|millis| millis.is_none());
        let slowest = slowest.flatten().max().filter(|_| !never);
        let back =
            slowest.map_or_else(|| "not always back".into(), |ms| format!("back within {ms} ms"));
        let count = of_service().count();
        let orders =
            if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
        Some(format!("{name} killed {count}× with {orders} orders in flight, {back}"))
    };
    Service::ALL.into_iter().filter_map(line).collect()
}

/// Where others of its service go on, their partitions show no gap: the one that waited longest counts.
fn first_effect(model: &Model, instance: Instance, kill: &Kill) -> Option<Duration> {
    let is_effect = |topic: Topic| match instance.service {
        // Orders are taken without a broker; everybody else works only with what it brings.
        Service::Broker => topic != Topic::Orders,
        service => service.topic() == Some(topic),
    };
    // Stamped after the process was gone, or was let live again: only its successor can have done that.
    let since = kill.gone_at + kill.down_for;
    let written = model.records().iter().filter(|record| is_effect(record.topic));
    let mut first: BTreeMap<i32, Timestamp> = BTreeMap::new();
    for record in written.filter(|record| record.decided_at() > since) {
        let at = first.entry(record.partition).or_insert_with(|| record.decided_at());
        *at = (*at).min(record.decided_at());
    }
    let first = if instance.of > 1 { first.values().max() } else { first.values().min() };
    (*first? - kill.at).to_std().ok()
}

/// The kills whose victims came back too late, or never, a line each.
#[must_use]
pub fn too_slow(kills: &[KillReport], limit: Duration) -> Vec<String> {
    let late = |kill: &&KillReport| {
        kill.recovered_in_ms.is_none_or(|ms| u128::from(ms) > limit.as_millis())
    };
    let line = |kill: &KillReport| {
        let back =
            kill.recovered_in_ms.map_or_else(|| "never".into(), |ms| format!("after {ms} ms"));
        let (instance, at) = (&kill.instance, kill.killed_at_ms);
        let limit = limit.as_millis();
        format!("{instance}, killed at {at} ms, was back {back}: the limit is {limit} ms")
    };
    kills.iter().filter(late).map(line).collect()
}

fn in_flight(model: &Model, at: Timestamp) -> u64 {
    let open = model.orders().filter(|order| {
        let created = model.history(*order).map(|record| record.created_at).min();
        created.is_some_and(|created| created <= at)
            && model.ended_at(*order).is_none_or(|ended| ended > at)
    });
    open.count() as u64
}
