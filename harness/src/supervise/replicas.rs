//! How many processes of each service there are, and what they are called.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::service::Service;

/// Instances of one service. Their known ports are a hundred apart, and with ten of them they would meet
/// the ports for management.
const MOST: u32 = 9;

/// Between the known ports of two instances of one service.
const PORT_STEP: u16 = 100;

/// Instances of each service: one of those that are not named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replicas(BTreeMap<Service, u32>);

impl Replicas {
    /// # Errors
    /// A name is no service, or one that has no replicas; a count is none or too many.
    pub fn new(counts: impl IntoIterator<Item = (String, u64)>) -> Result<Self, String> {
        let mut replicas = BTreeMap::new();
        for (name, count) in counts {
            let service: Service = name.parse()?;
            if matches!(service, Service::Gateway | Service::Broker) {
                return Err(format!("the {} is no part of the shop: it runs once", service.name()));
            }
            let count = u32::try_from(count).ok().filter(|count| (1..=MOST).contains(count));
            let count =
                count.ok_or_else(|| format!("{name} can have 1 to {MOST} instances at once"))?;
            if replicas.insert(service, count).is_some() {
                return Err(format!("{name} is named twice"));
            }
        }
        Ok(Self(replicas))
    }

    #[must_use]
    pub fn of(&self, service: Service) -> u32 {
        self.0.get(&service).copied().unwrap_or(1)
    }

    /// The instances of `service` by their numbers.
    pub fn instances(&self, service: Service) -> impl Iterator<Item = Instance> + use<> {
        let of = self.of(service);
        (1..=of).map(move |number| Instance { service, number, of })
    }

    /// Instances that share their stock need a place outside of all of them to share it in.
    ///
    /// # Errors
    /// There are several inventories and no database.
    pub fn check(&self, has_database: bool) -> Result<(), String> {
        if self.of(Service::Inventory) > 1 && !has_database {
            return Err("without PostgreSQL there can be one inventory: its stock is a fold of the log that \
                        a single writer keeps, and a second instance would refuse to start"
                .into());
        }
        Ok(())
    }
}

impl FromStr for Replicas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |pair: &str| {
            let (name, count) =
                pair.split_once('=').ok_or_else(|| format!("{pair:?} is not SERVICE=COUNT"))?;
            let count =
                count.parse().map_err(|_| format!("{count:?} is no number of instances"))?;
            Ok((name.to_owned(), count))
        };
        Self::new(text.split(',').map(pair).collect::<Result<Vec<_>, String>>()?)
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (service, count)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}={count}", service.name())?;
        }
        Ok(())
    }
}

/// One process among those of its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    pub service: Service,
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Instance {
    /// Of its process, its log and its usage: the service's own where it is the only one.
    #[must_use]
    pub fn name(self) -> String {
        let name = self.service.name();
        if self.of == 1 { name.to_owned() } else { format!("{name}-{}", self.number) }
    }

    /// The first has the specification's, each further one a hundred more.
    #[must_use]
    pub fn known_port(self) -> u16 {
        let before = u16::try_from(self.number.saturating_sub(1)).unwrap_or(u16::MAX);
        self.service.known_port().saturating_add(before.saturating_mul(PORT_STEP))
    }
}

/// Whom chaos hits: a service (each time another of its instances), or one instance of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub service: Service,
    pub instance: Option<u32>,
}

impl Target {
    /// The instance hit when its service was hit `before` times already; `None` where there is none of
    /// that number.
    #[must_use]
    pub fn pick(self, replicas: &Replicas, before: u32) -> Option<Instance> {
        let of = replicas.of(self.service);
        let number = self.instance.unwrap_or(before % of + 1);
        (number <= of).then_some(Instance { service: self.service, number, of })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbered = text.rsplit_once('-').and_then(|(name, number)| {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Some((name, number))
        });
        match numbered {
            Some((name, number)) => Ok(Self { service: name.parse()?, instance: Some(number) }),
            None => Ok(Self { service: text.parse()?, instance: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_or_refused_with_a_reason() {
        let replicas: Replicas = "order=2,payment=3".parse().unwrap();
        assert_eq!(
            [Service::Order, Service::Payment, Service::Status].map(|s| replicas.of(s)),
            [2, 3, 1]
        );
        assert_eq!(replicas.to_string(), "order=2,payment=3");
        for (text, reason) in [
            ("order", "SERVICE=COUNT"),
            ("ordr=2", "ordr"),
            ("order=0", "1 to 9"),
            ("order=10", "1 to 9"),
            ("order=two", "\"two\""),
            ("order=2,order=3", "twice"),
            ("gateway=2", "gateway"),
        ] {
            let error = text.parse::<Replicas>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_second_inventory_needs_a_database() {
        let replicas: Replicas = "inventory=2".parse().unwrap();
        assert!(replicas.check(false).unwrap_err().contains("PostgreSQL"));
        assert_eq!(replicas.check(true), Ok(()));
        assert_eq!(Replicas::default().check(false), Ok(()));
    }

    #[test]
    fn instances_have_names_and_ports_of_their_own() {
        let replicas: Replicas = "payment=2,status=9".parse().unwrap();
        let names = |service| replicas.instances(service).map(Instance::name).collect::<Vec<_>>();
        assert_eq!(names(Service::Payment), ["payment-1", "payment-2"]);
        assert_eq!(names(Service::Order), ["order"]);
        let mut ports: Vec<u16> = Service::ALL
            .into_iter()
            .filter(|service| *service != Service::Broker)
            .flat_map(|service| {
                (1..=MOST).map(move |number| Instance { service, number, of: MOST })
            })
            .flat_map(|instance| [instance.known_port(), instance.known_port() + 1000])
            .chain([contract::process::port::BROKER])
            .collect();
        assert!(ports.contains(&8082) && ports.contains(&8182));
        let all = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), all, "no two doors share a port");
    }

    #[test]
    fn a_target_is_one_instance_or_each_in_turn() {
        let replicas: Replicas = "payment=2".parse().unwrap();
        let hit = |text: &str, before| {
            let target: Target = text.parse().unwrap();
            target.pick(&replicas, before).map(Instance::name)
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            [0, 1, 2].map(|before| hit("payment", before)),
            ["payment-1", "payment-2", "payment-1"].map(named)
        );
        assert_eq!(hit("payment-2", 0), named("payment-2"));
        assert_eq!(hit("payment-3", 0), None);
        assert_eq!(hit("order", 5), named("order"));
        assert!("paymnt-2".parse::<Target>().is_err());
        assert!("payment-0".parse::<Target>().is_err());
    }
}
