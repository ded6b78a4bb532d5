//! The executors' options, each with what it changes.

use std::time::Duration;

use loadgen::executor::schedule::Stripe;

use super::shop::{Script, Shop};
use super::{perform, perform_as};

#[test]
fn a_scenario_waits_for_its_start_time_and_carries_its_tags() {
    let shop = Shop::open(Script::default());
    let toml = r#"
[scenarios.first]
executor = "constant-arrival-rate"
exec = "check-inventory"
rate = 20
duration = "500ms"
preAllocatedVUs = 20
[scenarios.second]
executor = "constant-arrival-rate"
exec = "check-inventory"
startTime = "700ms"
rate = 50
duration = "200ms"
preAllocatedVUs = 10
tags = { part = "late" }
"#;
    let second = [("scenario", "second"), ("part", "late")];
    let outcome = perform_as(Stripe::WHOLE, toml, &shop.targets, |_, load, _| {
        if load.elapsed() < Duration::from_millis(700) {
            assert_eq!(load.count("iterations", &second), 0);
        }
    });
    assert_eq!(outcome.count("iterations", &second), 10);
    assert_eq!(outcome.count("iterations", &[("scenario", "first")]), 10);
    assert_eq!(outcome.count("http_reqs", &[("part", "late")]), 10);
}

#[test]
fn a_rate_counts_per_time_unit() {
    let shop = Shop::open(Script::default());
    for (executor, rate) in [
        ("constant-arrival-rate", "rate = 6\nduration = \"500ms\""),
        ("ramping-arrival-rate", "startRate = 6\nstages = [{ duration = \"500ms\", target = 6 }]"),
    ] {
        let toml = format!(
            "[scenarios.stock]\nexecutor = {executor:?}\nexec = \"check-inventory\"\n{rate}\n\
             timeUnit = \"100ms\"\npreAllocatedVUs = 30\n"
        );
        let outcome = perform(&toml, &shop.targets);
        assert_eq!(outcome.count("iterations", &[]), 30, "{executor}");
    }
}

#[test]
fn users_come_when_they_are_needed_up_to_the_most() {
    let delay = Duration::from_secs(1);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 50
duration = "500ms"
preAllocatedVUs = 0
maxVUs = 20
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.gauge_max("vus_max"), 20.0);
    assert_eq!(outcome.count("iterations", &[]), 20);
    assert_eq!(outcome.count("dropped_iterations", &[]), 5);
}

#[test]
fn a_user_sent_home_has_the_ramp_down_and_no_more() {
    let delay = Duration::from_secs(50);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    // The grace at the end is longer than the test may take: only the ramp down can end these iterations.
    let toml = r#"
[scenarios.orders]
executor = "ramping-vus"
exec = "place-order"
startVUs = 2
stages = [{ duration = "200ms", target = 2 }, { duration = "0s", target = 0 }, { duration = "100ms", target = 0 }]
gracefulRampDown = "300ms"
gracefulStop = "10m"
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 0);
    assert_eq!(outcome.count("orders_unknown", &[]), 2);
}

#[test]
fn without_a_ramp_down_a_user_sent_home_is_cut_off_at_once() {
    let delay = Duration::from_secs(50);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "ramping-vus"
exec = "place-order"
startVUs = 3
stages = [{ duration = "200ms", target = 3 }, { duration = "0s", target = 0 }, { duration = "100ms", target = 0 }]
gracefulRampDown = "0s"
gracefulStop = "10m"
"#;
    let outcome = perform(toml, &shop.targets);
    assert_eq!(outcome.count("orders_unknown", &[]), 3);
}

#[test]
fn shards_without_a_user_leave_their_arrivals_to_the_others() {
    let shop = Shop::open(Script::default());
    let toml = r#"
[scenarios.stock]
executor = "constant-arrival-rate"
exec = "check-inventory"
rate = 40
duration = "500ms"
preAllocatedVUs = 2
"#;
    let shards = [0, 1, 2].map(|index| {
        let stripe = Stripe { index, of: 3 };
        let outcome = perform_as(stripe, toml, &shop.targets, |_, _, _| {});
        outcome.count("iterations", &[]) + outcome.count("dropped_iterations", &[])
    });
    assert_eq!(shards, [10, 10, 0]);
}
