//! The processes of the shop by name.

use std::str::FromStr;

use contract::process::port;
use contract::topics::Topic;

/// A process of the shop that the harness starts. Gateway and broker are no part of the shop, but stand
/// beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    Order,
    Inventory,
    Payment,
    Notification,
    Shipping,
    Status,
    Gateway,
    /// The embedded broker.
    Broker,
}

impl Service {
    pub const ALL: [Self; 8] = [
        Self::Order,
        Self::Inventory,
        Self::Payment,
        Self::Notification,
        Self::Shipping,
        Self::Status,
        Self::Gateway,
        Self::Broker,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Notification => "notification",
            Self::Shipping => "shipping",
            Self::Status => "status",
            Self::Gateway => "gateway",
            Self::Broker => "broker",
        }
    }

    /// Its port in the specification's deployments.
    #[must_use]
    pub const fn known_port(self) -> u16 {
        match self {
            Self::Order => port::ORDER,
            Self::Inventory => port::INVENTORY,
            Self::Payment => port::PAYMENT,
            Self::Notification => port::NOTIFICATION,
            Self::Shipping => port::SHIPPING,
            Self::Status => port::STATUS,
            Self::Gateway => port::GATEWAY,
            Self::Broker => port::BROKER,
        }
    }

    /// The topic that it alone writes.
    #[must_use]
    pub const fn topic(self) -> Option<Topic> {
        match self {
            Self::Order => Some(Topic::Orders),
            Self::Inventory => Some(Topic::Inventory),
            Self::Payment => Some(Topic::Payment),
            Self::Notification => Some(Topic::Notification),
            Self::Shipping => Some(Topic::Shipping),
            Self::Status | Self::Gateway | Self::Broker => None,
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|service| service.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no service: use {names}")
        })
    }
}
