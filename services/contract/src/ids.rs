//! Order ids, event ids and product ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Cents;
use crate::topics::Step;

/// An order's id: a UUID version 4 in its hyphenated form (specification §2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Uuid, example = "3fa85f64-5717-4562-b3fc-2c963f66afa6"))]
pub struct OrderId(pub Uuid);

/// The namespace of every id that is derived from an order's id or from an idempotency key.
const NAMESPACE: Uuid = Uuid::from_u128(0x9d5c_3c1e_6f4b_4b0a_8a57_d00b_b057_e125);

impl OrderId {
    /// No order id is greater.
    pub const MAX: Self = Self(Uuid::max());

    /// The id of the order that a client asked for under `key` (an `Idempotency-Key`).
    ///
    /// Derived, so that every attempt with one key is the same order, in every process and after every
    /// restart, with no table to lose. It has the form of a version 4 UUID, as the specification asks:
    /// its 122 bits are as good as random to whoever does not know the key.
    #[must_use]
    pub fn for_idempotency_key(key: &str) -> Self {
        let hashed = Uuid::new_v5(&NAMESPACE, key.as_bytes());
        Self(uuid::Builder::from_random_bytes(hashed.into_bytes()).into_uuid())
    }

    /// The id of the event of `step`: the same however often the step is repeated.
    #[must_use]
    pub fn event_id(self, step: Step) -> Uuid {
        Uuid::new_v5(&self.0, step.name().as_bytes())
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for OrderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// One of the three products that the specification knows (§3.1: `^product-[1-3]$`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(description = "Product identifier"))]
pub enum ProductId {
    #[serde(rename = "product-1")]
    Product1,
    #[serde(rename = "product-2")]
    Product2,
    #[serde(rename = "product-3")]
    Product3,
}

impl ProductId {
    pub const ALL: [Self; 3] = [Self::Product1, Self::Product2, Self::Product3];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product1 => "product-1",
            Self::Product2 => "product-2",
            Self::Product3 => "product-3",
        }
    }

    /// What one piece costs (DESIGN §7: the specification names no prices).
    #[must_use]
    pub const fn price(self) -> Cents {
        match self {
            Self::Product1 => Cents(29_99),
            Self::Product2 => Cents(49_99),
            Self::Product3 => Cents(99_99),
        }
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no product of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown product {0:?}: use product-1, product-2 or product-3")]
pub struct UnknownProduct(pub String);

impl FromStr for ProductId {
    type Err = UnknownProduct;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|product| product.as_str() == text)
            .ok_or_else(|| UnknownProduct(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_one_order_in_the_form_of_a_version_4_uuid() {
        let id = OrderId::for_idempotency_key("attempt-1");
        assert_eq!(id, OrderId::for_idempotency_key("attempt-1"));
        assert_ne!(id, OrderId::for_idempotency_key("attempt-2"));
        assert_eq!(id.0.get_version_num(), 4);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn each_step_has_its_own_event_id() {
        let id = OrderId::for_idempotency_key("k");
        let mut ids: Vec<_> = Step::ALL.into_iter().map(|step| id.event_id(step)).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 5));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), Step::ALL.len());
    }

    #[test]
    fn products_parse_and_print() {
        for product in ProductId::ALL {
            assert_eq!(product.as_str().parse(), Ok(product));
            assert_eq!(serde_json::to_string(&product).unwrap(), format!("\"{product}\""));
        }
        assert!("product-4".parse::<ProductId>().is_err());
    }
}
