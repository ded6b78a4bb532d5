//! What a scenario says about the shop it wants and about who dies in it: `[shop]` and `[chaos]`.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::ids::ProductId;
use contract::topics::DEFAULT_PARTITIONS;
use loadgen::flow::Flow;
use loadgen::scenario::reader::TableReader;
use loadgen::scenario::{Phase, ScenarioError};

use crate::service::Service;

/// Pieces of each product where nothing else is said (DESIGN §7).
const DEFAULT_STOCK: u64 = 1_000;

/// How the shop is started. The defaults are the specification's.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopSettings {
    /// Without services there is only the broker.
    pub services: bool,
    pub partitions: i32,
    pub stock: BTreeMap<ProductId, u64>,
    /// Share of orders whose card is declined.
    pub decline_rate: f64,
    /// Share of charges that the gateway answers with an error.
    pub error_rate: f64,
    /// Share of charges that the gateway never answers.
    pub silent_rate: f64,
    /// Share of questions about charges that the gateway answers with an error.
    pub query_error_rate: f64,
    pub gateway_latency_median: Duration,
    pub gateway_latency_p99: Duration,
    /// Orders a minute from one address; 0 for no limit. Likewise the next one.
    pub order_limit: u32,
    pub status_limit: u32,
    /// WebSockets from one address; 0 for no limit.
    pub sockets_per_address: u32,
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self {
            services: true,
            partitions: DEFAULT_PARTITIONS,
            stock: ProductId::ALL.map(|product| (product, DEFAULT_STOCK)).into(),
            decline_rate: 0.0,
            error_rate: 0.0,
            silent_rate: 0.0,
            query_error_rate: 0.0,
            gateway_latency_median: Duration::from_millis(20),
            gateway_latency_p99: Duration::from_millis(100),
            order_limit: 10,
            status_limit: 60,
            sockets_per_address: 5,
        }
    }
}

/// Who is killed when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaosSettings {
    /// In this order, one after the other.
    pub kill: Vec<Service>,
    /// The first kill, since the load began, and the time between two.
    pub first: Duration,
    pub every: Duration,
    /// How often the list is gone through.
    pub rounds: u32,
}

impl ChaosSettings {
    /// When each kill is due, since the load began.
    pub fn schedule(&self) -> impl Iterator<Item = (Duration, Service)> + use<'_> {
        let victims = (0..self.rounds).flat_map(|_| self.kill.iter().copied());
        (0_u32..).zip(victims).map(|(at, victim)| (self.first + self.every * at, victim))
    }
}

/// Both tables of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseSettings {
    pub shop: ShopSettings,
    pub chaos: Option<ChaosSettings>,
}

impl PhaseSettings {
    /// # Errors
    /// Every mistake in the two tables.
    pub fn read(phase: &Phase) -> Result<Self, Vec<ScenarioError>> {
        let shop = match &phase.extra.shop {
            Some(section) => section.read(|reader| {
                let settings = shop(reader);
                let uses = |flow: &Flow| !matches!(flow, Flow::KafkaPipe(_));
                let used = phase.scenarios.iter().any(|scenario| uses(&scenario.flow));
                let message = "must be true: a scenario of this phase uses the services";
                reader.ensure("services", settings.services || !used, message);
                settings
            }),
            None => Ok(ShopSettings::default()),
        };
        let chaos = phase.extra.chaos.as_ref().map(|section| section.read(chaos)).transpose();
        match (shop, chaos) {
            (Ok(shop), Ok(chaos)) => Ok(Self { shop, chaos }),
            (shop, chaos) => {
                Err([shop.err(), chaos.err()].into_iter().flatten().flatten().collect())
            }
        }
    }
}

fn shop(reader: &mut TableReader<'_>) -> ShopSettings {
    let default = ShopSettings::default();
    let settings = ShopSettings {
        services: reader.or("services", default.services),
        partitions: reader.or("partitions", default.partitions),
        stock: reader
            .optional("stock")
            .map_or(default.stock, |stock: Vec<(String, u64)>| stock_of(reader, stock)),
        decline_rate: reader.or("declineRate", default.decline_rate),
        error_rate: reader.or("errorRate", default.error_rate),
        silent_rate: reader.or("silentRate", default.silent_rate),
        query_error_rate: reader.or("queryErrorRate", default.query_error_rate),
        gateway_latency_median: reader.or("gatewayLatencyMedian", default.gateway_latency_median),
        gateway_latency_p99: reader.or("gatewayLatencyP99", default.gateway_latency_p99),
        order_limit: reader.or("orderLimit", default.order_limit),
        status_limit: reader.or("statusLimit", default.status_limit),
        sockets_per_address: reader.or("socketsPerAddress", default.sockets_per_address),
    };
    let share = 0.0..=1.0;
    let is_share = "must be a share, 0 to 1";
    for (name, rate) in [
        ("declineRate", settings.decline_rate),
        ("errorRate", settings.error_rate),
        ("silentRate", settings.silent_rate),
        ("queryErrorRate", settings.query_error_rate),
    ] {
        reader.ensure(name, share.contains(&rate), is_share);
    }
    reader.ensure("partitions", settings.partitions > 0, "must be at least 1");
    reader.ensure(
        "gatewayLatencyP99",
        settings.gateway_latency_p99 >= settings.gateway_latency_median,
        "must not be below gatewayLatencyMedian",
    );
    settings
}

fn stock_of(reader: &mut TableReader<'_>, stock: Vec<(String, u64)>) -> BTreeMap<ProductId, u64> {
    let mut pieces = BTreeMap::new();
    for (name, count) in stock {
        match name.parse::<ProductId>() {
            Ok(product) => drop(pieces.insert(product, count)),
            Err(error) => reader.reject("stock", error.to_string()),
        }
    }
    pieces
}

fn chaos(reader: &mut TableReader<'_>) -> ChaosSettings {
    let names: Vec<String> = reader.required("kill");
    let mut kill = Vec::new();
    for name in names {
        match name.parse() {
            Ok(service) => kill.push(service),
            Err(error) => reader.reject("kill", error),
        }
    }
    let settings = ChaosSettings {
        kill,
        first: reader.required("first"),
        every: reader.required("every"),
        rounds: reader.or("rounds", 1),
    };
    reader.ensure("kill", !settings.kill.is_empty(), "must name at least one service");
    reader.ensure("rounds", settings.rounds > 0, "must be at least 1");
    reader.ensure("every", !settings.every.is_zero(), "must be longer than nothing");
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(text: &str) -> Result<PhaseSettings, Vec<ScenarioError>> {
        let scenario = r#"
            [scenarios.orders]
            executor = "constant-arrival-rate"
            exec = "place-order"
            rate = 1
            duration = "1s"
            preAllocatedVUs = 1
        "#;
        let file = loadgen::scenario::parse(&format!("name = \"t\"\n{text}\n{scenario}"));
        PhaseSettings::read(&file.expect("a good scenario").phases[0])
    }

    #[test]
    fn defaults_are_the_specifications() {
        let settings = phase("").unwrap();
        assert_eq!(settings.shop, ShopSettings::default());
        assert_eq!((settings.shop.order_limit, settings.shop.status_limit), (10, 60));
        assert_eq!(settings.chaos, None);
    }

    #[test]
    fn kills_come_one_after_the_other_and_rounds_repeat_them() {
        let text =
            "[chaos]\nkill = [\"order\", \"status\"]\nfirst = \"2s\"\nevery = \"3s\"\nrounds = 2";
        let chaos = phase(text).unwrap().chaos.unwrap();
        let schedule: Vec<_> =
            chaos.schedule().map(|(at, victim)| (at.as_secs(), victim.name())).collect();
        assert_eq!(schedule, [(2, "order"), (5, "status"), (8, "order"), (11, "status")]);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[shop]\ndeclineRate = 2.0\nsilentRate = -0.1\nqueryErrorRate = 1.5\nstock = { product-9 = 1 }\nservces = true\n\
                    [chaos]\nkill = [\"ordr\"]\nfirst = \"1s\"";
        let errors = phase(text).unwrap_err();
        let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9], "{errors:?}");
        assert!(errors.iter().any(|error| error.message.contains("services")), "{errors:?}");
    }
}
