//! Closed models: a user starts its next iteration when it has ended the one before.

use std::time::Duration;

use super::perform;
use super::shop::{Script, Shop};

#[test]
fn each_user_runs_its_iterations() {
    let shop = Shop::open(Script::default());
    let toml = r#"
[scenarios.stock]
executor = "per-vu-iterations"
exec = "check-inventory"
vus = 3
iterations = 7
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 21);
    assert_eq!(outcome.gauge_max("vus"), 3.0);
    assert_eq!(outcome.count("send_lag", &[]), 0, "there is no schedule to be late for");
    assert_eq!(outcome.rate("checks", &[]), (42, 42));
}

#[test]
fn iterations_that_find_no_time_are_dropped() {
    let delay = Duration::from_millis(400);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "place-order"
vus = 2
iterations = 50
maxDuration = "500ms"
"#;
    let outcome = perform(toml, &shop.targets);
    let (ran, dropped) =
        (outcome.count("iterations", &[]), outcome.count("dropped_iterations", &[]));
    assert_eq!(ran + dropped, 100);
    assert!(ran <= 4, "{ran}");
}

#[test]
fn constant_users_work_until_the_time_is_over() {
    let shop = Shop::open(Script::default());
    let toml = r#"
[scenarios.orders]
executor = "constant-vus"
exec = "place-order"
vus = 4
duration = "300ms"
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.gauge_max("vus"), 4.0);
    assert_eq!(outcome.orders().len() as u64, outcome.count("iterations", &[]));
    assert!(outcome.count("iterations", &[]) >= 4);
}

#[test]
fn ramping_users_come_and_are_sent_home() {
    let shop = Shop::open(Script::default());
    let toml = r#"
[scenarios.orders]
executor = "ramping-vus"
exec = "place-order"
startVUs = 0
stages = [{ duration = "300ms", target = 6 }, { duration = "300ms", target = 1 }, { duration = "200ms", target = 4 }]
gracefulRampDown = "1s"
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.gauge_max("vus_max"), 6.0);
    assert!(outcome.count("iterations", &[]) >= 6);
}

#[test]
fn what_outlasts_the_grace_is_cut_off_and_noted_as_unknown() {
    let delay = Duration::from_secs(30);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "constant-vus"
exec = "place-order"
vus = 2
duration = "200ms"
gracefulStop = "100ms"
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 0);
    assert_eq!(outcome.count("orders_unknown", &[]), 2);
    assert_eq!(outcome.orders().len(), 2);
}
