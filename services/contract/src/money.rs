//! Money: integer cents inside, a JSON number in dollars outside (DESIGN §4).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// An amount of US dollars in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = f32, example = 59.98))]
pub struct Cents(pub i64);

/// The largest amount that is read from outside: beyond it a double no longer holds every cent.
const MAX_DOLLARS: f64 = 1e13;

impl Serialize for Cents {
    #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53 cents")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Cents {
    #[expect(clippy::cast_possible_truncation, reason = "bounded by MAX_DOLLARS just above")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        if !(-MAX_DOLLARS..=MAX_DOLLARS).contains(&dollars) {
            return Err(D::Error::custom(format!("amount {dollars} is out of range")));
        }
        Ok(Self((dollars * 100.0).round() as i64))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}${}.{:02}", self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100)
    }
}

impl Add for Cents {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Cents {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<u32> for Cents {
    type Output = Self;

    fn mul(self, quantity: u32) -> Self {
        Self(self.0 * i64::from(quantity))
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_cent_survives_the_wire(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            let json = serde_json::to_string(&Cents(cents)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Cents>(&json).unwrap(), Cents(cents));
        }
    }

    #[test]
    fn dollars_outside() {
        assert_eq!(serde_json::to_string(&(Cents(29_99) * 2)).unwrap(), "59.98");
        assert_eq!(Cents(-5).to_string(), "-$0.05");
        assert!(serde_json::from_str::<Cents>("1e300").is_err());
    }
}
