//! The engine against real sockets.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up, it fails on")]

mod any_service;
mod arrivals;
mod closed_models;
mod conductor;
mod http;
mod instances;
mod kafka;
mod live;
mod options;
mod orders;
mod reads;
mod shop;
mod sockets;
mod stages;
mod websocket;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use loadgen::executor::schedule::Stripe;
use loadgen::flow::Targets;
use loadgen::journal::{self, Line, OrderEntry};
use loadgen::metrics::{Aggregate, LoadState};
use loadgen::scenario::{self, Phase};
use loadgen::shard::{Order, Plan, Report, Shard};

/// What a shard told and wrote.
pub(crate) struct Outcome {
    pub(crate) load: LoadState,
    pub(crate) journal: Vec<Line>,
}

pub(crate) fn phase(toml: &str) -> Phase {
    let file = scenario::parse(&format!("name = \"test\"\n{toml}")).unwrap();
    file.phases.into_iter().next().unwrap()
}

/// Runs the scenarios of `toml` in a shard on this thread.
pub(crate) fn perform(toml: &str, targets: &Targets) -> Outcome {
    perform_with(toml, targets, |_, _| {})
}

/// Likewise; `on_snapshot` is called on the shard's thread with each snapshot's number (from 0) and may give
/// orders.
pub(crate) fn perform_with(
    toml: &str,
    targets: &Targets,
    on_snapshot: impl Fn(usize, &dyn Fn(Order)),
) -> Outcome {
    perform_as(Stripe::WHOLE, toml, targets, |number, _, order| on_snapshot(number, order))
}

/// Likewise, as one of several shards; `on_snapshot` is shown all that is known by then.
pub(crate) fn perform_as(
    stripe: Stripe,
    toml: &str,
    targets: &Targets,
    on_snapshot: impl Fn(usize, &LoadState, &dyn Fn(Order)),
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        scenarios: phase(toml).scenarios,
        targets: targets.clone(),
        given: Vec::new(),
        journal_dir: folder.path().to_owned(),
        seed: 7,
        run_id: 7,
        segment: Stripe::WHOLE,
        stripe,
    };
    let load = RefCell::new((LoadState::new(), 0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let (give, orders) = tokio::sync::mpsc::unbounded_channel();
        give.send(Order::Start).unwrap();
        let shard = Shard::prepare(plan).await.unwrap();
        let report = |report| {
            if let Report::Snapshot(snapshot) = report {
                let (load, number) = &mut *load.borrow_mut();
                load.merge(0, &snapshot).unwrap();
                on_snapshot(*number, load, &|order| give.send(order).unwrap());
                *number += 1;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), shard.run(orders, report))
            .await
            .expect("the shard ends")
            .unwrap();
    });
    Outcome { load: load.into_inner().0, journal: read_journal(folder.path(), stripe.index) }
}

fn read_journal(folder: &Path, shard: u32) -> Vec<Line> {
    let text = std::fs::read_to_string(journal::path(folder, shard)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Outcome {
    pub(crate) fn count(&self, metric: &str, tags: &[(&str, &str)]) -> u64 {
        match self.load.select(metric, tags) {
            Some(Aggregate::Counter(count)) => count,
            Some(Aggregate::Trend(trend)) => trend.count(),
            None => 0,
            other => panic!("{metric} is {other:?}"),
        }
    }

    /// Of a rate: passes and total.
    pub(crate) fn rate(&self, metric: &str, tags: &[(&str, &str)]) -> (u64, u64) {
        match self.load.select(metric, tags) {
            Some(Aggregate::Rate(rate)) => (rate.passes, rate.total),
            other => panic!("{metric} is {other:?}"),
        }
    }

    pub(crate) fn gauge_max(&self, metric: &str) -> f64 {
        match self.load.select(metric, &[]) {
            Some(Aggregate::Gauge(gauge)) => gauge.max,
            other => panic!("{metric} is {other:?}"),
        }
    }

    /// Of a trend, in milliseconds.
    pub(crate) fn percentile(&self, metric: &str, percentile: f64) -> f64 {
        match self.load.select(metric, &[]) {
            Some(Aggregate::Trend(trend)) => trend.percentile_ms(percentile),
            other => panic!("{metric} is {other:?}"),
        }
    }

    pub(crate) fn orders(&self) -> Vec<&OrderEntry> {
        let orders = self.journal.iter().filter_map(|line| match line {
            Line::Order(order) => Some(order),
            Line::Violation(_) => None,
        });
        orders.collect()
    }
}
