//! The scenario files that come with the program.

/// Name and text of each.
pub const SHIPPED: [(&str, &str); 14] = [
    ("targets", include_str!("../../../scenarios/targets.toml")),
    ("smoke", include_str!("../../../scenarios/smoke.toml")),
    ("load", include_str!("../../../scenarios/load.toml")),
    ("stress", include_str!("../../../scenarios/stress.toml")),
    ("spike", include_str!("../../../scenarios/spike.toml")),
    ("endurance", include_str!("../../../scenarios/endurance.toml")),
    ("spec-load-test", include_str!("../../../scenarios/spec-load-test.toml")),
    ("flash-sale", include_str!("../../../scenarios/flash-sale.toml")),
    ("flash-sale-declines", include_str!("../../../scenarios/flash-sale-declines.toml")),
    ("replicas", include_str!("../../../scenarios/replicas.toml")),
    ("kafka-away", include_str!("../../../scenarios/kafka-away.toml")),
    ("gateway-silent", include_str!("../../../scenarios/gateway-silent.toml")),
    ("kills", include_str!("../../../scenarios/kills.toml")),
    ("postgres", include_str!("../../../scenarios/postgres.toml")),
];

/// The text of the scenario named `name`.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.into_iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| text)
}
