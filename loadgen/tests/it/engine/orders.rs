//! What becomes of an order, as the journal has it.

use std::collections::HashSet;

use contract::ids::OrderId;
use loadgen::journal::Outcome;

use super::perform;
use super::shop::{Script, Shop, targets};

const ONE: &str = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "place-order"
"#;

#[test]
fn created_orders_are_noted_with_their_key_and_id() {
    let shop = Shop::open(Script::default());
    let outcome = perform(&ONE.replace("\"place-order\"", "\"place-order\"\niterations = 50\nparams = { quantity = [2, 4], products = [\"product-2\"] }"), &shop.targets);
    let orders = outcome.orders();
    assert_eq!(orders.len(), 50);
    for order in &orders {
        assert_eq!((order.outcome, order.status), (Outcome::Created, Some(201)));
        assert_eq!(order.order_id, Some(OrderId::for_idempotency_key(&order.key)));
        assert_eq!(order.product_id.as_str(), "product-2");
        assert!((2..=4).contains(&order.quantity));
    }
    assert_eq!(orders.iter().map(|order| &order.key).collect::<HashSet<_>>().len(), 50);
    assert_eq!(outcome.count("orders_created", &[]), 50);
    assert_eq!(outcome.count("orders_unknown", &[]), 0);
}

#[test]
fn patience_asks_again_with_the_same_key() {
    let shop = Shop::open(Script { order_statuses: vec![503, 500], ..Script::default() });
    let patient = format!("{ONE}params = {{ retryFor = \"20s\" }}\n");
    let outcome = perform(&patient, &shop.targets);
    assert_eq!(outcome.orders()[0].outcome, Outcome::Created);
    assert_eq!(outcome.rate("availability", &[("name", "order")]), (1, 1));
    assert_eq!(outcome.rate("http_req_failed", &[]), (2, 3));
    assert_eq!(outcome.count("http_reqs", &[("status", "503"), ("expected_response", "false")]), 1);
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen.orders_by_key.values().copied().collect::<Vec<_>>(), [3]);
}

#[test]
fn without_patience_a_server_error_is_unknown_and_a_refusal_is_refused() {
    for (status, outcome) in
        [(503, Outcome::Unknown), (429, Outcome::Refused), (400, Outcome::Refused)]
    {
        let shop = Shop::open(Script { order_statuses: vec![status], ..Script::default() });
        let told = perform(ONE, &shop.targets);
        let order = told.orders()[0];
        assert_eq!((order.outcome, order.status, order.order_id), (outcome, Some(status), None));
        assert_eq!(told.rate("availability", &[]), (0, 1));
        assert_eq!(told.count("orders_created", &[]), 0);
    }
}

#[test]
fn a_request_that_reached_nobody_is_refused() {
    // Nothing listens on a port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = perform(ONE, &targets(&url, "127.0.0.1:1"));
    let order = outcome.orders()[0];
    assert_eq!((order.outcome, order.status), (Outcome::Refused, None));
    assert_eq!(outcome.count("http_reqs", &[("error", "connect")]), 1);
}

#[test]
fn a_connection_that_breaks_or_stalls_leaves_the_order_unknown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        drop(first);
        // The second is left waiting for as long as the test takes.
        listener.accept().unwrap()
    });
    let toml = format!("{ONE}iterations = 2\nparams = {{ timeout = \"300ms\" }}\n");
    let outcome = perform(&toml, &targets(&url, "127.0.0.1:1"));
    assert!(outcome.orders().iter().all(|order| order.outcome == Outcome::Unknown));
    assert_eq!(outcome.count("http_reqs", &[("error", "broken")]), 1);
    assert_eq!(outcome.count("http_reqs", &[("error", "timeout")]), 1);
    server.join().unwrap();
}
