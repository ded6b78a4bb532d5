//! Restarts instances in order, one after the other, while the load goes on: nobody should notice.

use std::collections::BTreeMap;
use std::time::Duration;

use loadgen::course::Follow;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::service::Service;
use crate::settings::RollSettings;
use crate::supervise::{Restart, Shop};

/// A restart that has happened, for the audit's report.
#[derive(Debug, Clone, Serialize)]
pub struct RestartReport {
    pub service: &'static str,
    pub name: String,
    /// When it was told to stop, since the load began.
    pub stopped_at_ms: u64,
    /// From then until it was gone.
    pub stopped_in_ms: u64,
    /// From its new start until it did its work.
    pub ready_in_ms: u64,
    /// It went by itself and was not killed.
    pub in_order: bool,
}

/// Restarts by schedule, in plan time, until it is through. What was done so far is in `restarts`, so that this may be
/// dropped at any time.
pub async fn roll(
    shop: &Shop,
    settings: &RollSettings,
    plan: &Follow,
    restarts: &mut Vec<RestartReport>,
    notices: &mpsc::UnboundedSender<String>,
) {
    plan.reach(settings.first).await;
    for _ in 0..settings.rounds {
        for service in &settings.services {
            for instance in shop.replicas.instances(*service) {
                let at = plan.elapsed();
                let name = instance.name();
                let Some(restart) = shop.restart(instance, settings.away).await else {
                    let _ = notices.send(format!("{name} is not there to be restarted"));
                    continue;
                };
                let report = report(*service, name, at, &restart);
                let RestartReport { name, stopped_in_ms, ready_in_ms, .. } = &report;
                let said = format!(
                    "{name} restarted: gone after {stopped_in_ms} ms, ready after {ready_in_ms} ms"
                );
                let _ = notices.send(said);
                restarts.push(report);
                plan.reach(plan.elapsed() + settings.every).await;
            }
        }
    }
}

fn report(service: Service, name: String, at: Duration, restart: &Restart) -> RestartReport {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    RestartReport {
        service: service.name(),
        name,
        stopped_at_ms: millis(at),
        stopped_in_ms: millis(restart.stopped_in),
        ready_in_ms: millis(restart.ready_in),
        in_order: restart.in_order,
    }
}

/// One line for each service that was restarted.
#[must_use]
pub fn per_service(restarts: &[RestartReport]) -> Vec<String> {
    let mut services: BTreeMap<&str, Vec<&RestartReport>> = BTreeMap::new();
    for restart in restarts {
        services.entry(restart.service).or_default().push(restart);
    }
    let line = |(service, restarts): (&str, Vec<&RestartReport>)| {
        let most =
            |of: fn(&RestartReport) -> u64| restarts.iter().map(|r| of(r)).max().unwrap_or(0);
        let (gone, ready) = (most(|r| r.stopped_in_ms), most(|r| r.ready_in_ms));
        let killed = restarts.iter().filter(|restart| !restart.in_order).count();
        let how = if killed == 0 {
            String::new()
        } else {
            format!(", {killed} of them killed in the end")
        };
        let count = restarts.len();
        format!(
            "{service} restarted {count}×{how}: gone within {gone} ms, ready again within {ready} ms"
        )
    };
    services.into_iter().map(line).collect()
}
