//! Open models: the clock decides, whatever the system does.

use std::time::Duration;

use loadgen::conductor::validity;

use super::shop::{Script, Shop};
use super::{perform, perform_with};

const STEADY: &str = r#"
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 100
duration = "1s"
preAllocatedVUs = 100
"#;

#[test]
fn every_arrival_becomes_an_iteration_from_an_address_of_its_own() {
    let shop = Shop::open(Script::default());
    let outcome = perform(STEADY, &shop.targets);
    assert_eq!(outcome.count("iterations", &[("scenario", "orders")]), 100);
    assert_eq!(outcome.count("send_lag", &[]), 100);
    assert_eq!(outcome.count("http_reqs", &[("name", "order"), ("status", "201")]), 100);
    assert_eq!(outcome.count("dropped_iterations", &[]), 0);
    assert_eq!(outcome.rate("checks", &[]), (200, 200));
    assert!(outcome.count("data_sent", &[]) > 100 * 100);
    assert!(outcome.count("data_received", &[]) > 100 * 100);
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen.clients.len(), 100);
    assert!(seen.clients.iter().all(|client| client.to_string().starts_with("127.16.0.")));
}

#[test]
fn a_ramp_starts_what_its_integral_says() {
    let shop = Shop::open(Script::default());
    let ramp = r#"
[scenarios.orders]
executor = "ramping-arrival-rate"
exec = "place-order"
startRate = 0
stages = [{ duration = "1s", target = 100 }, { duration = "500ms", target = 0 }]
preAllocatedVUs = 100
"#;
    let outcome = perform(ramp, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 75);
}

#[test]
fn arrivals_without_a_free_user_are_dropped_and_counted() {
    let delay = Duration::from_secs(2);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    let few = STEADY.replace("preAllocatedVUs = 100", "preAllocatedVUs = 2\nmaxVUs = 5");
    let outcome = perform(&few, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 5);
    assert_eq!(outcome.count("dropped_iterations", &[]), 95);
    assert_eq!(outcome.gauge_max("vus_max"), 5.0);
    assert_eq!(outcome.gauge_max("vus"), 5.0);
}

#[test]
fn a_server_that_freezes_shows_it_in_the_response_time() {
    let shop = Shop::open(Script { freeze: Duration::from_millis(600), ..Script::default() });
    let outcome = perform(STEADY, &shop.targets);
    assert_eq!(outcome.count("iterations", &[]), 100);
    // 60 of 100 arrivals wait for the thaw, evenly from 600 ms down to nothing.
    assert!(outcome.percentile("http_req_duration", 100.0) >= 500.0);
    assert!(outcome.percentile("http_req_duration", 75.0) >= 200.0);
}

#[test]
fn a_stalled_generator_is_invalid_and_its_lag_is_in_the_response_time() {
    let shop = Shop::open(Script::default());
    let outcome = perform_with(STEADY, &shop.targets, |number, _| {
        if number == 1 {
            std::thread::sleep(Duration::from_millis(400));
        }
    });
    let verdict = validity(&outcome.load, Duration::from_millis(10));
    assert!(!verdict.valid);
    assert!(verdict.send_lag_p99 >= Duration::from_millis(300));
    assert!(verdict.reason.unwrap().contains("the load generator itself was late"));
    assert_eq!(outcome.count("iterations", &[]), 100, "late is not dropped");
    assert!(outcome.percentile("http_req_duration", 99.0) >= 300.0);
}

#[test]
fn a_stopped_test_starts_no_more() {
    let shop = Shop::open(Script::default());
    let long = STEADY.replace("duration = \"1s\"", "duration = \"10m\"");
    let outcome = perform_with(&long, &shop.targets, |number, order| {
        if number == 2 {
            order(loadgen::shard::Order::Stop);
        }
    });
    let iterations = outcome.count("iterations", &[]);
    assert!((1..60_000).contains(&iterations), "{iterations}");
    assert_eq!(outcome.orders().len() as u64, iterations);
}
