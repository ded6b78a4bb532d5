//! A service behind several URLs.

use contract::events::EventType::{InventoryRejected, NotificationSent, OrderCreated};
use loadgen::flow::Targets;
use loadgen::journal::{Line, Outcome};

use super::perform;
use super::shop::{Script, Shop, SocketScript};

const ORDERS: &str = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "place-order"
iterations = 20
"#;

/// Nothing listens on a port that was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn both(first: &Shop, second: &Shop) -> Targets {
    let url = |shop: &Shop| shop.targets.order[0].clone();
    let urls = vec![url(first), url(second)];
    Targets { order: urls.clone(), status: urls.clone(), inventory: urls, ..first.targets.clone() }
}

#[test]
fn iterations_take_turns_among_the_instances() {
    let shops = [Shop::open(Script::default()), Shop::open(Script::default())];
    let outcome = perform(ORDERS, &both(&shops[0], &shops[1]));
    assert_eq!(outcome.count("orders_created", &[]), 20);
    assert_eq!(outcome.count("failovers", &[]), 0);
    for shop in shops {
        assert_eq!(shop.seen.lock().unwrap().order_requests, 10);
    }
}

#[test]
fn an_instance_that_is_gone_or_unready_fails_nothing_while_another_one_serves() {
    let stopping = Shop::open(Script { order_statuses: vec![503; 100], ..Script::default() });
    let shop = Shop::open(Script::default());
    let mut targets = both(&stopping, &shop);
    targets.order.push(nobody());
    let outcome = perform(ORDERS, &targets);
    assert_eq!(outcome.count("orders_created", &[]), 20);
    assert_eq!(outcome.rate("http_req_failed", &[]), (0, 20));
    assert!(outcome.count("failovers", &[("name", "order")]) >= 13);
    assert!(outcome.orders().iter().all(|order| order.outcome == Outcome::Created));
}

#[test]
fn where_all_instances_refuse_the_request_fails_once_and_is_in_doubt_if_one_has_seen_it() {
    let stopping = Shop::open(Script { order_statuses: vec![503; 100], ..Script::default() });
    let mut targets = stopping.targets.clone();
    targets.order.push(nobody());
    let outcome = perform(ORDERS, &targets);
    assert_eq!(outcome.rate("http_req_failed", &[]), (20, 20));
    assert_eq!(outcome.count("failovers", &[]), 20);
    assert!(outcome.orders().iter().all(|order| order.outcome == Outcome::Unknown));
}

#[test]
fn a_socket_that_ends_is_opened_at_another_instance_which_is_told_what_was_seen() {
    let known = vec![OrderCreated, InventoryRejected];
    let whole = vec![OrderCreated, InventoryRejected, NotificationSent];
    let socket = |updates, breaks| Script {
        sockets: vec![SocketScript { updates, breaks }],
        ..Script::default()
    };
    let first = Shop::open(socket(vec![known], true));
    let second = Shop::open(socket(vec![whole], false));
    let toml = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "watch-order"
params = { retryFor = "20s" }
"#;
    let outcome = perform(toml, &both(&first, &second));
    let socket = outcome.orders()[0].socket.clone().unwrap();
    assert_eq!((socket.opened, socket.frames, socket.ended), (2, 2, true));
    assert_eq!(socket.violations, Vec::<String>::new());
    assert_eq!(first.seen.lock().unwrap().afters, [None]);
    assert_eq!(second.seen.lock().unwrap().afters, [Some(2)]);
}

#[test]
fn what_one_instance_has_shown_another_may_not_know_yet() {
    let behind = Shop::open(Script { statuses: vec![404; 100], ..Script::default() });
    let shop = Shop::open(Script::default());
    let toml = format!(
        "{ORDERS}[scenarios.reads]\nexecutor = \"per-vu-iterations\"\nexec = \"check-status\"\n\
         iterations = 40\nstartTime = \"500ms\"\n"
    );
    let outcome = perform(&toml, &both(&shop, &behind));
    assert_eq!(outcome.count("status_not_yet", &[]), 20);
    assert!(outcome.journal.iter().all(|line| matches!(line, Line::Order(_))));
}
