//! One phase: a fresh shop, the load, the drain, the audit, and the shop closed again.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use contract::Timestamp;
use loadgen::conductor::{Conductor, ConductorOptions, LoadResult};
use loadgen::flow::{Flow, Given, HttpParams, Needs, Once, Targets};
use loadgen::output::Outputs;
use loadgen::report::{PhaseReport, Recovery, Verdict};
use loadgen::scenario::Phase;
use loadgen::{journal, preflight};
use serde_json::Value;
use tokio::sync::mpsc;

use super::kafka;
use super::load::{LoadEnd, Surroundings, drive};
use super::screen::Screen;
use crate::audit::drain::{Progress, STUCK_AFTER};
use crate::audit::gather::{Sources, gather};
use crate::audit::{AuditReport, audit};
use crate::chaos::{self, KillReport, Victim};
use crate::cli::{RunArgs, database_url};
use crate::database::Schema;
use crate::rolling::{self, RestartReport};
use crate::scenarios;
use crate::settings::PhaseSettings;
use crate::supervise::signals::Signals;
use crate::supervise::{Shop, ShopPlan, this_program};

/// What is needed to run a phase.
pub struct PhaseRun<'a> {
    pub args: &'a RunArgs,
    /// Its name.
    pub scenario: &'a str,
    pub phase: &'a Phase,
    pub settings: &'a PhaseSettings,
    /// Holds `journal/` and `logs/`.
    pub folder: PathBuf,
    /// From 0.
    pub index: usize,
    /// On a Kafka that is not ours: delete what is in the shop's topics.
    pub delete_topics: bool,
    pub outputs: &'a Arc<Outputs>,
}

/// How it ended.
pub struct PhaseEnd {
    pub report: PhaseReport,
    pub verdict: Verdict,
}

/// What the audit leaves behind.
#[derive(Default)]
pub(super) struct Audited {
    report: Option<AuditReport>,
    pub(super) recovery: Vec<Recovery>,
    pub(super) kills: Vec<KillReport>,
    pub(super) restarts: Vec<RestartReport>,
    /// Kills whose victims came back too late.
    too_slow: Vec<String>,
}

impl PhaseRun<'_> {
    /// # Errors
    /// The shop or the load generator does not start, or the audit cannot read its evidence.
    pub async fn run(
        &self,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> anyhow::Result<PhaseEnd> {
        let own_shop = self.settings.shop.services && self.args.deployed.order_url.is_empty();
        let database = database_url(self.args.database.as_ref()).filter(|_| own_shop);
        let Some(database) = database else { return self.run_on(None, screen, signals).await };
        let schema = Schema::create(&database).await?;
        let ended = self.run_on(Some(&schema.url), screen, signals).await;
        // However it ended: nothing of it is to stay in a database of others.
        let dropped = schema.drop().await;
        ended.and_then(|ended| dropped.map(|()| ended))
    }

    /// The same, with tables in `database` if there is one.
    async fn run_on(
        &self,
        database: Option<&str>,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> anyhow::Result<PhaseEnd> {
        screen.begin_phase(&self.phase.name, self.index, self.phase.load_duration());
        screen.activity("starting");
        self.preflight()?;
        let (notices, mut heard) = mpsc::unbounded_channel();
        let shop = tokio::select! {
            biased;
            () = signals.next() => bail!("interrupted while the shop was starting"),
            shop = self.open_shop(database, notices.clone()) => shop?,
        };
        let targets = self.targets(shop.as_ref());
        let given = self.once(self.phase.setup.as_ref(), Given::new(), &targets).await;
        let given = given.context("the setup failed")?;
        let conductor = Conductor::start(self.conductor_options(targets.clone(), given.clone())?)
            .await
            .context("the load generator does not start")?;
        screen.activity("load");
        let started_at = Timestamp::from(SystemTime::now());
        let (states, tell) = (conductor.watch(), notices.clone());
        let tell = move |notice| drop(tell.send(notice));
        let feed = self.outputs.follow(self.scenario, &self.phase.name, started_at, states, tell);
        let around = Surroundings {
            shop: shop.as_ref(),
            chaos: self.settings.chaos.as_ref(),
            notices: &notices,
            heard: &mut heard,
            screen,
            signals,
            segment: self.args.segment,
            save: &|screen, took, usage| self.save(screen, started_at, took, usage),
        };
        let LoadEnd { result, took, victims, restarts, usage } =
            drive(self.phase, conductor, around).await?;
        feed.end(Arc::new(result.state.clone()));
        self.once(self.phase.teardown.as_ref(), given, &targets)
            .await
            .context("the teardown failed")?;
        let audited = self.audit(shop.as_ref(), database, victims, screen, signals).await?;
        let audited = Audited { restarts, ..audited };
        screen.activity("closing the shop");
        if let Some(shop) = shop {
            shop.stop().await;
        }
        let verdict = verdict(&result, &audited, screen.interrupted());
        let report = self.describe(screen, started_at, took, result, &usage, audited)?;
        Ok(PhaseEnd { report, verdict })
    }

    /// Whether this machine can carry the phase under the limits that its shop sets.
    fn preflight(&self) -> anyhow::Result<()> {
        let processes = u64::from(self.args.shards) * u64::from(self.args.segment.of);
        let own = preflight::Limits::of_this_machine(processes)
            .context("cannot tell this machine's limits")?;
        preflight::check(self.phase, &scenarios::limits_of(self.settings, own))?;
        Ok(())
    }

    async fn open_shop(
        &self,
        database: Option<&str>,
        notices: mpsc::UnboundedSender<String>,
    ) -> anyhow::Result<Option<Shop>> {
        let needs_none = self.phase.needs() == Needs::Nothing && !self.settings.shop.services;
        if !self.args.deployed.order_url.is_empty() || needs_none {
            return Ok(None);
        }
        if let Some(kafka) = self.args.kafka.as_ref().filter(|_| self.settings.shop.services) {
            kafka::make_fresh(kafka, self.delete_topics).await?;
        }
        let plan = ShopPlan {
            program: this_program()?,
            settings: self.settings.shop.clone(),
            kafka: self.args.kafka.clone(),
            database: database.map(str::to_owned),
            known_ports: false,
            log_folder: self.folder.join("logs"),
            state_folder: self.folder.join("state"),
            seed: self.args.seed,
        };
        Ok(Some(Shop::open(&plan, notices).await?))
    }

    fn targets(&self, shop: Option<&Shop>) -> Targets {
        let Some(shop) = shop else {
            let urls = &self.args.deployed;
            let kafka = self.args.kafka.clone().unwrap_or_default();
            if urls.order_url.is_empty() {
                return Targets { kafka, ..Targets::nowhere() };
            }
            return Targets {
                order: urls.order_url.clone(),
                status: urls.status_url.clone(),
                inventory: urls.inventory_url.clone(),
                kafka,
            };
        };
        let places = &shop.endpoints;
        if places.order.is_empty() {
            return Targets { kafka: places.kafka.clone(), ..Targets::nowhere() };
        }
        Targets {
            order: places.order.clone(),
            status: places.status.clone(),
            inventory: places.inventory.clone(),
            kafka: places.kafka.clone(),
        }
    }

    /// Takes steps that are taken once, if there are any; all that is captured then.
    async fn once(
        &self,
        steps: Option<&HttpParams>,
        given: Given,
        targets: &Targets,
    ) -> anyhow::Result<Given> {
        let Some(params) = steps.cloned() else { return Ok(given) };
        let (env, targets) = (self.phase.env.clone(), targets.clone());
        let once = Once { params, env, given, targets, seed: self.args.seed };
        tokio::task::spawn_blocking(|| once.run()).await?
    }

    fn conductor_options(
        &self,
        targets: Targets,
        given: Given,
    ) -> anyhow::Result<ConductorOptions> {
        Ok(ConductorOptions {
            command: vec![this_program()?.into_os_string(), OsString::from("load")],
            phase: self.phase.clone(),
            targets,
            given,
            journal_dir: self.folder.join("journal"),
            seed: self.args.seed,
            shards: self.args.shards,
            segment: self.args.segment,
            // Whoever waited for one phase has not asked to wait for the next.
            paused: self.args.paused && self.index == 0,
        })
    }

    async fn audit(
        &self,
        shop: Option<&Shop>,
        database: Option<&str>,
        victims: Vec<Victim>,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> anyhow::Result<Audited> {
        let Some(mut sources) = self.sources(shop) else { return Ok(Audited::default()) };
        sources.database = database.map(str::to_owned);
        screen.activity("draining");
        let mut shown = None;
        let gathering = gather(&sources, |progress: Progress| {
            if shown != Some(progress) {
                shown = Some(progress);
                let Progress { orders, ended } = progress;
                screen.activity(&format!("draining: {ended} of {orders} orders have ended"));
            }
        });
        let evidence = tokio::select! {
            biased;
            () = signals.next() => None,
            evidence = gathering => Some(evidence.context("the audit cannot read its evidence")?),
        };
        let Some(evidence) = evidence else {
            screen.interrupt();
            screen.notice("the audit was cut short".into());
            return Ok(Audited::default());
        };
        let asked = evidence.journal.as_ref().is_none_or(|journal| !journal.requests.is_empty());
        if screen.interrupted() && !asked {
            screen.notice("ended before the first order: there is nothing to audit".into());
            return Ok(Audited::default());
        }
        screen.activity("auditing");
        let report = audit(&evidence);
        let (recovery, kills): (Vec<_>, Vec<_>) =
            chaos::recoveries(victims, &evidence.model).await.into_iter().unzip();
        let limit = self.settings.chaos.as_ref().and_then(|chaos| chaos.recover_within);
        let too_slow = limit.map(|limit| chaos::too_slow(&kills, limit)).unwrap_or_default();
        let restarts = Vec::new();
        Ok(Audited { report: Some(report), recovery, kills, restarts, too_slow })
    }

    /// `None` where there are no orders to audit: nobody places any, or their log is out of reach.
    fn sources(&self, shop: Option<&Shop>) -> Option<Sources> {
        let flows = || self.phase.scenarios.iter().map(|scenario| &scenario.flow);
        let watched = flows().any(|flow| matches!(flow, Flow::WatchOrder(_)));
        let placed = watched || flows().any(|flow| matches!(flow, Flow::PlaceOrder(_)));
        if !placed {
            return None;
        }
        let shards = 0..self.args.shards;
        let journal_folder = self.folder.join("journal");
        let mut sources = Sources {
            kafka: self.args.kafka.clone().unwrap_or_default(),
            journals: Some(shards.map(|shard| journal::path(&journal_folder, shard)).collect()),
            status: self.args.deployed.status_url.clone(),
            sockets_expected: watched,
            stuck_after: STUCK_AFTER,
            ..Sources::default()
        };
        match shop {
            Some(shop) => {
                sources.kafka = shop.endpoints.kafka.clone();
                sources.gateway = shop.endpoints.gateway.clone();
                sources.inventory = shop.endpoints.inventory.clone();
                sources.status = shop.endpoints.status.clone();
                sources.initial_stock = Some(self.settings.shop.stock.clone());
                sources.undisturbed = shop.deaths() == 0;
                sources.sole_clients = true;
                sources.groups_expected = true;
                Some(sources)
            }
            None => self.args.kafka.is_some().then_some(sources),
        }
    }
}

impl Audited {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        let Some(report) = &self.report else { return Ok(Value::Null) };
        let mut json = serde_json::to_value(report).context("the audit's report")?;
        if !self.kills.is_empty() {
            json["kills"] = serde_json::to_value(&self.kills).context("the kills")?;
        }
        if !self.restarts.is_empty() {
            json["restarts"] = serde_json::to_value(&self.restarts).context("the restarts")?;
        }
        Ok(json)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let Some(report) = &self.report else { return Vec::new() };
        let mut lines = report.table();
        lines.extend(report.lines());
        lines.extend(chaos::per_service(&self.kills));
        lines.extend(rolling::per_service(&self.restarts));
        lines.extend(self.too_slow.iter().map(|late| format!("✗ {late}")));
        lines
    }
}

pub(super) fn verdict(result: &LoadResult, audited: &Audited, interrupted: bool) -> Verdict {
    let mut verdict = Verdict::Pass;
    if result.thresholds.iter().any(|threshold| !threshold.ok) || !audited.too_slow.is_empty() {
        verdict = verdict.max(Verdict::ThresholdCrossed);
    }
    if interrupted {
        verdict = verdict.max(Verdict::Interrupted);
    }
    if !result.validity.valid {
        verdict = verdict.max(Verdict::Invalid);
    }
    if audited.report.as_ref().is_some_and(|audit| !audit.passed()) {
        verdict = verdict.max(Verdict::AuditViolation);
    }
    verdict
}
