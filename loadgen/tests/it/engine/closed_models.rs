//! Closed models: a user starts its next iteration when it has ended the one before.

use std::time::Duration;

use loadgen::executor::schedule::Stripe;

use super::shop::{Script, Shop};
use super::{perform, perform_as, perform_with};

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

const SHARED: &str = r#"
[scenarios.stock]
executor = "shared-iterations"
exec = "check-inventory"
vus = 3
iterations = 40
"#;

#[test]
fn users_share_iterations_and_start_no_more_than_there_are() {
    let shop = Shop::open(Script::default());
    let outcome = perform(SHARED, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 40);
    assert_eq!(outcome.count("dropped_iterations", &[]), 0);
    assert_eq!(outcome.gauge_max("vus"), 3.0);
}

#[test]
fn shards_share_iterations_too_and_those_without_a_user_have_none() {
    let shop = Shop::open(Script::default());
    let shards = [0, 1, 2, 3].map(|index| {
        let outcome = perform_as(Stripe { index, of: 4 }, SHARED, &shop.targets, |_, _, _| {});
        outcome.count("iterations", &[])
    });
    assert_eq!(shards, [14, 13, 13, 0]);
}

#[test]
fn shared_iterations_that_find_no_time_are_dropped() {
    let delay = Duration::from_millis(400);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "shared-iterations"
exec = "place-order"
vus = 2
iterations = 50
maxDuration = "500ms"
"#;
    let outcome = perform(toml, &shop.targets);
    let (ran, dropped) =
        (outcome.count("iterations", &[]), outcome.count("dropped_iterations", &[]));
    assert_eq!(ran + dropped, 50);
    assert!((1..=4).contains(&ran), "{ran}");
}

#[test]
fn what_is_not_started_because_somebody_stopped_the_test_is_not_dropped() {
    let delay = Duration::from_millis(50);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    for executor in ["shared-iterations", "per-vu-iterations"] {
        let toml = format!(
            "[scenarios.orders]\nexecutor = {executor:?}\nexec = \"place-order\"\nvus = 2\niterations = 5000\n"
        );
        let outcome = perform_with(&toml, &shop.targets, |number, order| {
            if number == 2 {
                order(loadgen::shard::Order::Stop);
            }
        });
        assert!((1..5000).contains(&outcome.count("iterations", &[])));
        assert_eq!(outcome.count("dropped_iterations", &[]), 0, "{executor}");
    }
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
