//! What the flows of a shard share, and what one scenario's flow knows.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Given;
use super::known_orders::KnownOrders;
use crate::client::http::Route;
use crate::client::instances::Instances;
use crate::client::socket::ReadBuffer;
use crate::client::target::{Target, Traffic};
use crate::executor::schedule::Stripe;
use crate::journal::Journal;
use crate::lease::Leases;
use crate::metrics::{GaugeId, Registry, names};

/// Where the services are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// `http://host:port` of each instance of the order service; likewise the two others.
    pub order: Vec<String>,
    pub status: Vec<String>,
    pub inventory: Vec<String>,
    /// `host:port`, or several with commas.
    pub kafka: String,
}

impl Targets {
    /// Where nobody asks any of them: an address that nothing listens at.
    #[must_use]
    pub fn nowhere() -> Self {
        let nowhere = || vec!["http://127.0.0.1:9".to_owned()];
        let (order, status, inventory) = (nowhere(), nowhere(), nowhere());
        Self { order, status, inventory, kafka: String::new() }
    }
}

/// [`Targets`] with their addresses looked up.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) order: Instances,
    pub(crate) status: Instances,
    pub(crate) inventory: Instances,
    pub(crate) kafka: Vec<String>,
}

impl Services {
    pub(crate) async fn resolve(targets: &Targets) -> anyhow::Result<Self> {
        Ok(Self {
            order: Instances::resolve("order", &targets.order).await?,
            status: Instances::resolve("status", &targets.status).await?,
            inventory: Instances::resolve("inventory", &targets.inventory).await?,
            kafka: targets.kafka.split(',').map(|address| address.trim().to_owned()).collect(),
        })
    }
}

/// What all scenarios of a shard share.
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) services: Services,
    pub(crate) stripe: Stripe,
    /// Tells this run's idempotency keys and topics from those of every other run.
    pub(crate) run_id: u64,
    /// Cancelled when the test is to end early.
    pub(crate) stop: CancellationToken,
    pub(crate) orders: RefCell<KnownOrders>,
    pub(crate) rng: RefCell<SmallRng>,
    pub(crate) read_buffer: Rc<ReadBuffer>,
    leases: RefCell<Leases>,
    /// None where nobody audits.
    journal: RefCell<Option<Journal>>,
}

impl Shared {
    pub(crate) fn new(
        services: Services,
        stripe: Stripe,
        (seed, run_id): (u64, u64),
        journal: Option<Journal>,
    ) -> Self {
        Self {
            registry: Registry::new(),
            services,
            stripe,
            run_id,
            stop: CancellationToken::new(),
            orders: RefCell::default(),
            rng: RefCell::new(SmallRng::seed_from_u64(seed.wrapping_add(stripe.index.into()))),
            read_buffer: Rc::default(),
            leases: RefCell::new(Leases::new(stripe.index, stripe.of)),
            journal: RefCell::new(journal),
        }
    }

    pub(crate) fn lease(&self) -> IpAddr {
        self.leases.borrow_mut().lease()
    }

    pub(crate) fn note(&self, line: &impl Serialize) {
        if let Some(journal) = self.journal.borrow_mut().as_mut() {
            journal.write(line);
        }
    }

    pub(crate) fn flush_journal(&self) {
        if let Some(journal) = self.journal.borrow_mut().as_mut() {
            journal.flush();
        }
    }

    pub(crate) fn close_journal(&self) -> anyhow::Result<()> {
        self.journal.borrow_mut().as_mut().map_or(Ok(()), Journal::close)
    }
}

/// What one scenario's flow knows.
pub(crate) struct Context {
    pub(crate) shared: Rc<Shared>,
    /// The scenario's place among those of its phase: short enough for a key.
    pub(crate) index: usize,
    /// On every sample: `scenario` and the scenario's own.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) traffic: Rc<Traffic>,
    /// What texts of the scenario may look up.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) given: Given,
}

impl Context {
    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    pub(crate) fn route<'a>(&'a self, target: &'a Target, client: IpAddr) -> Route<'a> {
        Route { target, client: Some(client), traffic: &self.traffic }
    }

    /// The scenario's tags and `more`.
    pub(crate) fn tags<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        own.chain(more.iter().copied()).collect()
    }

    /// The key of an iteration's order: the same for every attempt, and for no other iteration of any run.
    pub(crate) fn idempotency_key(&self, iteration: u64) -> String {
        format!("{:016x}-{}-{iteration}", self.shared.run_id, self.index)
    }
}

/// A gauge of things that are open, which closes them by itself.
pub(crate) struct OpenGauge {
    registry: Registry,
    gauge: GaugeId,
    open: Cell<u32>,
}

impl OpenGauge {
    pub(crate) fn sockets(context: &Context) -> Rc<Self> {
        let registry = context.registry().clone();
        let gauge = registry.gauge(names::WS_OPEN, &context.tags(&[]));
        registry.set(gauge, 0.0);
        Rc::new(Self { registry, gauge, open: Cell::new(0) })
    }

    /// Counts one thing as open for as long as the guard lives.
    pub(crate) fn enter(self: &Rc<Self>) -> Open {
        self.set(self.open.get() + 1);
        Open(Rc::clone(self))
    }

    fn set(&self, open: u32) {
        self.open.set(open);
        self.registry.set(self.gauge, f64::from(open));
    }
}

/// See [`OpenGauge::enter`].
pub(crate) struct Open(Rc<OpenGauge>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.open.get().saturating_sub(1));
    }
}
