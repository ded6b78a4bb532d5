//! What a scenario says about the shop it wants and about who dies in it: `[shop]` and `[chaos]`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use contract::ids::ProductId;
use contract::topics::DEFAULT_PARTITIONS;
use loadgen::flow::Needs;
use loadgen::scenario::reader::TableReader;
use loadgen::scenario::{Phase, ScenarioError};

use crate::service::Service;
use crate::supervise::{Replicas, Target};

/// Pieces of each product where nothing else is said (DESIGN §7).
const DEFAULT_STOCK: u64 = 1_000;

/// The broker's own default.
const DEFAULT_FSYNC: &str = "interval";
const FSYNC: [&str; 3] = ["always", DEFAULT_FSYNC, "never"];

/// How the shop is started. The defaults are the specification's.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopSettings {
    /// Without services there is only the broker.
    pub services: bool,
    /// Whether the embedded broker keeps its records on disk, and outlives a kill with them.
    pub durable: bool,
    /// When it syncs them: `always`, `interval` or `never`. A kill takes nothing in any of them.
    pub fsync: &'static str,
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
    /// How long after its start the gateway fails so; without it always.
    pub faults_for: Option<Duration>,
    pub gateway_latency_median: Duration,
    pub gateway_latency_p99: Duration,
    /// Orders a minute from one address; 0 for no limit. Likewise the next one.
    pub order_limit: u32,
    pub status_limit: u32,
    /// WebSockets from one address; 0 for no limit.
    pub sockets_per_address: u32,
    pub replicas: Replicas,
}

impl Default for ShopSettings {
    fn default() -> Self {
        Self {
            services: true,
            durable: false,
            fsync: DEFAULT_FSYNC,
            partitions: DEFAULT_PARTITIONS,
            stock: ProductId::ALL.map(|product| (product, DEFAULT_STOCK)).into(),
            decline_rate: 0.0,
            error_rate: 0.0,
            silent_rate: 0.0,
            query_error_rate: 0.0,
            faults_for: None,
            gateway_latency_median: Duration::from_millis(20),
            gateway_latency_p99: Duration::from_millis(100),
            order_limit: 10,
            status_limit: 60,
            sockets_per_address: 5,
            replicas: Replicas::default(),
        }
    }
}

/// Who is hit when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChaosSettings {
    /// In this order, one after the other.
    pub kill: Vec<Target>,
    /// The first kill, since the load began, and the time between two.
    pub first: Duration,
    pub every: Duration,
    /// How often the list is gone through.
    pub rounds: u32,
    /// How long each that is killed stays dead before it is started again.
    pub down_for: Duration,
    /// How soon after its return each must have an effect, or the phase has failed.
    pub recover_within: Option<Duration>,
    /// Who is stopped and started again, beside the kills.
    pub roll: Option<RollSettings>,
}

/// Restarts in order, as when a new version is rolled out: one instance after the other, the next when the
/// one before does its work again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollSettings {
    /// In this order; of each all instances.
    pub services: Vec<Service>,
    /// The first restart, since the load began.
    pub first: Duration,
    /// From an instance that is ready again to the next one's end.
    pub every: Duration,
    /// How long each instance stays away.
    pub away: Duration,
    /// How often the list is gone through.
    pub rounds: u32,
}

impl ChaosSettings {
    /// When each kill is due, since the load began.
    pub fn schedule(&self) -> impl Iterator<Item = (Duration, Target)> + use<'_> {
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
                let used = phase.needs() == Needs::Services;
                let settings = shop(reader, used);
                let message = "must be true: a scenario of this phase uses the services";
                reader.ensure("services", settings.services || !used, message);
                settings
            }),
            None => {
                let services = phase.needs() == Needs::Services;
                Ok(ShopSettings { services, ..ShopSettings::default() })
            }
        };
        // Of a shop that cannot be read nothing is known: one mistake is enough.
        let durable = shop.as_ref().map_or(true, |shop| shop.durable);
        let chaos = phase.extra.chaos.as_ref();
        let chaos = chaos.map(|section| section.read(|reader| chaos_of(reader, durable)));
        let chaos = chaos.transpose();
        match (shop, chaos) {
            (Ok(shop), Ok(chaos)) => Ok(Self { shop, chaos }),
            (shop, chaos) => {
                Err([shop.err(), chaos.err()].into_iter().flatten().flatten().collect())
            }
        }
    }
}

impl PhaseSettings {
    /// Whether the parts fit together, once the command line has had its say.
    ///
    /// # Errors
    /// What does not fit, and why.
    pub fn check(&self, has_database: bool) -> Result<(), String> {
        self.shop.replicas.check(has_database)?;
        let kills = self.chaos.iter().flat_map(|chaos| &chaos.kill);
        for Target { service, instance } in kills {
            let of = self.shop.replicas.of(*service);
            if let Some(number) = instance.filter(|number| *number > of) {
                let name = service.name();
                return Err(format!(
                    "chaos is to kill {name}-{number}, and {name} has {of} instance(s)"
                ));
            }
        }
        Ok(())
    }
}

/// Where nothing is said there are services if they are `used`.
fn shop(reader: &mut TableReader<'_>, used: bool) -> ShopSettings {
    let default = ShopSettings::default();
    let settings = ShopSettings {
        services: reader.or("services", used),
        durable: reader.or("durable", default.durable),
        fsync: reader.choice("fsync", &FSYNC, Some(DEFAULT_FSYNC)).unwrap_or(DEFAULT_FSYNC),
        partitions: reader.or("partitions", default.partitions),
        stock: reader
            .optional("stock")
            .map_or(default.stock, |stock: Vec<(String, u64)>| stock_of(reader, stock)),
        decline_rate: reader.or("declineRate", default.decline_rate),
        error_rate: reader.or("errorRate", default.error_rate),
        silent_rate: reader.or("silentRate", default.silent_rate),
        query_error_rate: reader.or("queryErrorRate", default.query_error_rate),
        faults_for: reader.optional("faultsFor"),
        gateway_latency_median: reader.or("gatewayLatencyMedian", default.gateway_latency_median),
        gateway_latency_p99: reader.or("gatewayLatencyP99", default.gateway_latency_p99),
        order_limit: reader.or("orderLimit", default.order_limit),
        status_limit: reader.or("statusLimit", default.status_limit),
        sockets_per_address: reader.or("socketsPerAddress", default.sockets_per_address),
        replicas: reader
            .optional("replicas")
            .map(|counts: Vec<(String, u64)>| replicas_of(reader, counts))
            .unwrap_or_default(),
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
    let lasts = settings.faults_for.is_none_or(|lasts| !lasts.is_zero());
    reader.ensure("faultsFor", lasts, "must be longer than nothing");
    reader.ensure("partitions", settings.partitions > 0, "must be at least 1");
    reader.ensure(
        "gatewayLatencyP99",
        settings.gateway_latency_p99 >= settings.gateway_latency_median,
        "must not be below gatewayLatencyMedian",
    );
    settings
}

fn replicas_of(reader: &mut TableReader<'_>, counts: Vec<(String, u64)>) -> Replicas {
    Replicas::new(counts).unwrap_or_else(|error| {
        reader.reject("replicas", error);
        Replicas::default()
    })
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

fn chaos_of(reader: &mut TableReader<'_>, durable: bool) -> ChaosSettings {
    let kill: Vec<Target> = names(reader, "kill");
    let services = names(reader, "roll");
    let some = !kill.is_empty()
        || !services.is_empty()
        || reader.is_broken("kill")
        || reader.is_broken("roll");
    reader.ensure("kill", some, "must name at least one service, or `roll` must");
    let kills_broker = kill.iter().any(|target| target.service == Service::Broker);
    let forgets = "kills a broker that keeps its records in memory: set durable = true in [shop]";
    reader.ensure("kill", durable || !kills_broker, forgets);
    let (first, every) = (reader.required("first"), reader.required("every"));
    let rounds = reader.or("rounds", 1);
    let away = reader.or("away", Duration::ZERO);
    reader.ensure("rounds", rounds > 0, "must be at least 1");
    reader.ensure("every", every > Duration::ZERO, "must be longer than nothing");
    reader.ensure("away", away.is_zero() || !services.is_empty(), "is for those that `roll` names");
    let down_for = reader.or("downFor", Duration::ZERO);
    let recover_within = reader.optional("recoverWithin");
    let roll = RollSettings { services, first, every, away, rounds };
    let roll = Some(roll).filter(|roll| !roll.services.is_empty());
    ChaosSettings { kill, first, every, rounds, down_for, recover_within, roll }
}

/// The names in the list `key`, if there is one.
fn names<T: FromStr<Err = String>>(reader: &mut TableReader<'_>, key: &'static str) -> Vec<T> {
    let names: Vec<String> = reader.or(key, Vec::new());
    let mut read = Vec::new();
    for name in names {
        match name.parse() {
            Ok(named) => read.push(named),
            Err(error) => reader.reject(key, error),
        }
    }
    read
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
            chaos.schedule().map(|(at, victim)| (at.as_secs(), victim.service.name())).collect();
        assert_eq!(schedule, [(2, "order"), (5, "status"), (8, "order"), (11, "status")]);
    }

    #[test]
    fn restarts_in_order_stand_alone_or_beside_kills() {
        let roll = "roll = [\"order\", \"payment\"]\nfirst = \"2s\"\nevery = \"1s\"\naway = \"3s\"";
        let chaos = phase(&format!("[chaos]\n{roll}")).unwrap().chaos.unwrap();
        assert_eq!(chaos.schedule().count(), 0);
        let roll = chaos.roll.unwrap();
        assert_eq!(roll.services, [Service::Order, Service::Payment]);
        assert_eq!((roll.first, roll.away), (Duration::from_secs(2), Duration::from_secs(3)));
        let errors = phase("[chaos]\nfirst = \"1s\"\nevery = \"1s\"").unwrap_err();
        assert!(errors[0].message.contains("roll"), "{errors:?}");
    }

    #[test]
    fn replicas_are_read_and_checked_against_what_there_is() {
        let settings = |replicas: &str, kill: &str| {
            let chaos = format!("[chaos]\nkill = [{kill:?}]\nfirst = \"1s\"\nevery = \"1s\"");
            phase(&format!("[shop]\nreplicas = {{ {replicas} }}\n{chaos}"))
        };
        assert_eq!(settings("payment = 2", "payment-2").unwrap().check(false), Ok(()));
        let told = settings("payment = 2", "payment-3").unwrap().check(false).unwrap_err();
        assert!(told.contains("payment has 2"), "{told}");
        let told = settings("inventory = 2", "order").unwrap().check(false).unwrap_err();
        assert!(told.contains("PostgreSQL"), "{told}");
        let errors = settings("payment = 20", "order").unwrap_err();
        assert_eq!((errors.len(), errors[0].line), (1, 3), "{errors:?}");
    }

    #[test]
    fn a_broker_is_killed_for_a_while_and_only_where_it_remembers() {
        let kill = "[chaos]\nkill = [\"broker\"]\nfirst = \"5s\"\nevery = \"1s\"\n\
                    downFor = \"20s\"\nrecoverWithin = \"5s\"";
        let settings = phase(&format!("[shop]\ndurable = true\nfsync = \"always\"\n{kill}"));
        let PhaseSettings { shop, chaos } = settings.unwrap();
        assert!(shop.durable && shop.fsync == "always");
        let chaos = chaos.unwrap();
        let broker = Target { service: Service::Broker, instance: None };
        assert_eq!((chaos.kill, chaos.down_for.as_secs()), (vec![broker], 20));
        assert_eq!(chaos.recover_within, Some(Duration::from_secs(5)));
        let errors = phase(kill).unwrap_err();
        assert!(errors[0].message.contains("durable"), "{errors:?}");
        assert!(phase("[shop]\nfsync = \"perhaps\"").is_err());
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[shop]\ndeclineRate = 2.0\nsilentRate = -0.1\nqueryErrorRate = 1.5\nfaultsFor = \"0s\"\nstock = { product-9 = 1 }\nservces = true\n\
                    [chaos]\nkill = [\"ordr\"]\nfirst = \"1s\"";
        let errors = phase(text).unwrap_err();
        let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10], "{errors:?}");
        assert!(errors.iter().any(|error| error.message.contains("services")), "{errors:?}");
    }
}
