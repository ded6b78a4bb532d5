//! The shop: which processes there are, with which arguments, and where they listen.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::sync::mpsc;

use super::child::{ChildSpec, StartError};
use super::keeper::{Keeper, Kill, Restart};
use super::replicas::{Instance, Replicas};
use crate::service::Service;
use crate::settings::ShopSettings;

/// What of the state folder is the embedded broker's.
const BROKER_STATE: &str = "broker";

/// What to start.
#[derive(Debug, Clone)]
pub struct ShopPlan {
    pub settings: ShopSettings,
    /// A Kafka that is there already, `HOST:PORT`; without one the embedded broker is started.
    pub kafka: Option<String>,
    /// The PostgreSQL that inventory and status keep their state in; without one it is in memory.
    pub database: Option<String>,
    /// The binary that every process of the shop runs.
    pub program: PathBuf,
    /// The ports of the specification instead of any free ones.
    pub known_ports: bool,
    pub log_folder: PathBuf,
    /// Where its processes keep what must outlive them.
    pub state_folder: PathBuf,
    pub seed: u64,
}

/// Where the shop is reached.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoints {
    /// `HOST:PORT`.
    pub kafka: String,
    /// Base URLs, one for each instance; none in a phase without services.
    pub order: Vec<String>,
    pub inventory: Vec<String>,
    pub status: Vec<String>,
    pub gateway: Option<String>,
}

/// Running processes. They end when this is dropped, and in order when it is stopped.
#[derive(Debug)]
pub struct Shop {
    keepers: Vec<Keeper>,
    pub replicas: Replicas,
    pub endpoints: Endpoints,
}

impl Shop {
    /// Starts everything and returns when every process does its work: the broker and the gateway
    /// first, since the others must know their addresses, then the six services side by side.
    ///
    /// # Errors
    /// A process does not start. The others are ended.
    pub async fn open(
        plan: &ShopPlan,
        notices: mpsc::UnboundedSender<String>,
    ) -> Result<Self, StartError> {
        let specs = Specs(plan);
        let keep = |spec| Keeper::start(spec, notices.clone());
        let mut first = Vec::new();
        if plan.kafka.is_none() {
            first.push(specs.broker());
        }
        if plan.settings.services {
            first.push(specs.gateway());
        }
        let mut keepers = try_join_all(first.into_iter().map(keep)).await?;
        let address = |keepers: &[Keeper], name: &str| {
            let found = keepers.iter().find(|keeper| keeper.name == name);
            found.map(|keeper| keeper.address.to_string())
        };
        let embedded = || address(&keepers, Service::Broker.name());
        let kafka = plan.kafka.clone().or_else(embedded).unwrap_or_default();
        if let Some(gateway) = address(&keepers, Service::Gateway.name()) {
            let workers = specs.services(&kafka, &format!("http://{gateway}"));
            keepers.extend(try_join_all(workers.into_iter().map(keep)).await?);
        }
        let replicas = plan.settings.replicas.clone();
        let urls = |service: Service| {
            let names = replicas.instances(service).map(Instance::name);
            let addresses = names.filter_map(|name| address(&keepers, &name));
            addresses.map(|address| format!("http://{address}")).collect::<Vec<_>>()
        };
        let endpoints = Endpoints {
            kafka,
            order: urls(Service::Order),
            inventory: urls(Service::Inventory),
            status: urls(Service::Status),
            gateway: urls(Service::Gateway).pop(),
        };
        Ok(Self { keepers, replicas, endpoints })
    }

    /// Names and ids of the processes that are alive.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        let alive = |keeper: &Keeper| keeper.pid().map(|pid| (keeper.name.clone(), pid));
        self.keepers.iter().filter_map(alive).collect()
    }

    /// Names and addresses, in the order of their start.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, std::net::SocketAddr)> {
        self.keepers.iter().map(|keeper| (keeper.name.as_str(), keeper.address))
    }

    /// How often any process ended without being asked to, chaos included.
    #[must_use]
    pub fn deaths(&self) -> u32 {
        self.keepers.iter().map(Keeper::deaths).sum()
    }

    /// SIGKILL to one instance; its successor is on its way when this returns, or will be after
    /// `down_for`. `None` when it is not there to be killed.
    pub async fn kill(&self, victim: Instance, down_for: Duration) -> Option<Kill> {
        self.keeper(victim)?.kill(down_for).await
    }

    /// Stops one instance in order, and starts it again `away` later. Returns when it does its work.
    /// `None` when it is not there to be stopped.
    pub async fn restart(&self, instance: Instance, away: Duration) -> Option<Restart> {
        self.keeper(instance)?.restart(away).await
    }

    /// The base URL of an instance, wherever it was started.
    #[must_use]
    pub fn url(&self, instance: Instance) -> Option<String> {
        self.keeper(instance).map(|keeper| format!("http://{}", keeper.address))
    }

    fn keeper(&self, instance: Instance) -> Option<&Keeper> {
        let name = instance.name();
        self.keepers.iter().find(|keeper| keeper.name == name)
    }

    /// Ends the services side by side, then what they need.
    pub async fn stop(self) {
        let basis = [Service::Broker, Service::Gateway].map(Service::name);
        let is_basis = |keeper: &Keeper| basis.contains(&&*keeper.name);
        let (basis, services): (Vec<_>, Vec<_>) = self.keepers.into_iter().partition(is_basis);
        futures_util::future::join_all(services.into_iter().map(Keeper::stop)).await;
        futures_util::future::join_all(basis.into_iter().map(Keeper::stop)).await;
    }
}

/// Writes the command lines.
struct Specs<'a>(&'a ShopPlan);

impl Specs<'_> {
    fn broker(&self) -> ChildSpec {
        let partitions = self.0.settings.partitions.to_string();
        let mut arguments = words(&["broker", "--partitions", &partitions, "--exit-with-parent"]);
        if self.0.settings.durable {
            arguments.push("--data-dir".into());
            arguments.push(self.0.state_folder.join(BROKER_STATE).into());
            arguments.extend(words(&["--fsync", self.0.settings.fsync]));
        }
        ChildSpec {
            name: Service::Broker.name().into(),
            program: self.0.program.clone(),
            arguments,
            environment: Vec::new(),
            port: if self.0.known_ports { Service::Broker.known_port() } else { 0 },
            port_flag: "--listen",
            port_prefix: "127.0.0.1:",
            management_port: None,
            log_folder: self.0.log_folder.clone(),
        }
    }

    fn service(&self, instance: Instance, more: &[&str]) -> ChildSpec {
        let name = instance.service.name();
        let mut arguments = words(&["service", name, "--host", "127.0.0.1", "--exit-with-parent"]);
        arguments.extend(words(more));
        let known = instance.known_port();
        let management = known + contract::process::port::MANAGEMENT_OFFSET;
        ChildSpec {
            name: instance.name(),
            program: self.0.program.clone(),
            arguments,
            environment: Vec::new(),
            port: if self.0.known_ports { known } else { 0 },
            port_flag: "--port",
            port_prefix: "",
            management_port: Some(if self.0.known_ports { management } else { 0 }),
            log_folder: self.0.log_folder.clone(),
        }
    }

    fn gateway(&self) -> ChildSpec {
        let settings = &self.0.settings;
        let millis = |time: Duration| (time.as_secs_f64() * 1_000.0).to_string();
        let faults_for = settings.faults_for.map(|time| time.as_millis().to_string());
        let faults_for = faults_for.as_deref().map(|time| ["--faults-for-ms", time]);
        self.service(
            Instance { service: Service::Gateway, number: 1, of: 1 },
            &[
                &[
                    "--decline-rate",
                    &settings.decline_rate.to_string(),
                    "--error-rate",
                    &settings.error_rate.to_string(),
                    "--silent-rate",
                    &settings.silent_rate.to_string(),
                    "--query-error-rate",
                    &settings.query_error_rate.to_string(),
                    "--latency-median-ms",
                    &millis(settings.gateway_latency_median),
                    "--latency-p99-ms",
                    &millis(settings.gateway_latency_p99),
                    "--seed",
                    &self.0.seed.to_string(),
                ],
                faults_for.iter().flatten().copied().collect::<Vec<_>>().as_slice(),
            ]
            .concat(),
        )
    }

    fn services(&self, kafka: &str, gateway: &str) -> Vec<ChildSpec> {
        let settings = &self.0.settings;
        let partitions = settings.partitions.to_string();
        let pieces = settings.stock.iter().map(|(product, pieces)| format!("{product}={pieces}"));
        let stock = pieces.collect::<Vec<_>>().join(",");
        let on_kafka = |service, more: &[&str]| {
            let spec = |instance: Instance| {
                let number = instance.number.to_string();
                let mut all = vec!["--kafka", kafka, "--partitions", &partitions];
                all.extend(["--instance", &number]);
                all.extend(more);
                let mut spec = self.service(instance, &all);
                spec.arguments.push("--data-dir".into());
                spec.arguments.push(self.0.state_folder.clone().into());
                if [Service::Inventory, Service::Status].contains(&service) {
                    // Empty where there is none: whatever this process inherited is not meant for it.
                    let url = self.0.database.clone().unwrap_or_default();
                    spec.environment.push(("DATABASE_URL", url));
                }
                spec
            };
            settings.replicas.instances(service).map(spec).collect::<Vec<_>>()
        };
        let status_limit = settings.status_limit.to_string();
        let sockets = settings.sockets_per_address.to_string();
        [
            on_kafka(Service::Order, &["--order-limit", &settings.order_limit.to_string()]),
            on_kafka(Service::Inventory, &["--stock", &stock]),
            on_kafka(Service::Payment, &["--gateway", gateway]),
            on_kafka(Service::Notification, &[]),
            on_kafka(Service::Shipping, &[]),
            on_kafka(
                Service::Status,
                &["--status-limit", &status_limit, "--sockets-per-address", &sockets],
            ),
        ]
        .concat()
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
