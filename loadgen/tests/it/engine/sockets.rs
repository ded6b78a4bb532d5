//! Watching orders live.

use contract::events::EventType::{
    InventoryConfirmed, InventoryRejected, NotificationSent, OrderCreated, PaymentCompleted,
    Shipped,
};
use loadgen::journal::SocketEntry;

use super::shop::{Script, Shop, SocketScript};
use super::{Outcome, perform};

const WATCH: &str = r#"
[scenarios.orders]
executor = "per-vu-iterations"
exec = "watch-order"
"#;

fn shop(sockets: &[SocketScript]) -> Shop {
    Shop::open(Script { sockets: sockets.to_vec(), ..Script::default() })
}

fn happy() -> Vec<Vec<contract::events::EventType>> {
    let whole = vec![OrderCreated, InventoryConfirmed, PaymentCompleted, Shipped, NotificationSent];
    vec![whole[..1].to_vec(), whole[..3].to_vec(), whole]
}

fn socket(outcome: &Outcome) -> SocketEntry {
    outcome.orders()[0].socket.clone().unwrap()
}

#[test]
fn an_order_is_watched_to_its_end_and_the_socket_held_and_closed() {
    let shop = shop(&[SocketScript { updates: happy(), breaks: false }]);
    let toml = format!("{WATCH}vus = 20\nparams = {{ hold = \"400ms\" }}\n");
    let outcome = perform(&toml, &shop.targets);
    let orders = outcome.orders();
    assert_eq!(orders.len(), 20);
    let wanted = SocketEntry {
        opened: 1,
        frames: 3,
        events: vec![OrderCreated, InventoryConfirmed, PaymentCompleted, Shipped, NotificationSent],
        ended: true,
        violations: vec![],
    };
    assert!(orders.iter().all(|order| order.socket.as_ref() == Some(&wanted)));
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!(passed, total);
    assert_eq!(outcome.count("order_shipped", &[]), 20);
    assert_eq!(outcome.count("order_ended", &[]), 20);
    assert_eq!(outcome.count("pipeline_payment", &[]), 20);
    assert_eq!(outcome.count("ws_sessions", &[]), 20);
    assert_eq!(outcome.count("ws_errors", &[]), 0);
    assert_eq!(outcome.gauge_max("ws_open"), 20.0);
    assert!(outcome.percentile("ws_session_duration", 0.0) >= 395.0);
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen.close_codes, [1000; 20]);
    assert_eq!((seen.pongs, seen.json_pongs), (20, 20));
}

#[test]
fn updates_that_take_back_or_reorder_are_noted_as_violations() {
    let shop = shop(&[SocketScript {
        updates: vec![
            vec![OrderCreated, InventoryRejected],
            vec![OrderCreated],
            vec![OrderCreated, InventoryRejected, NotificationSent],
        ],
        breaks: false,
    }]);
    let outcome = perform(WATCH, &shop.targets);
    let socket = socket(&outcome);
    assert_eq!(socket.violations, ["an update lost events of the one before"]);
    assert!(socket.ended);
    let (passed, total) = outcome.rate("checks", &[]);
    assert_eq!(total - passed, 1);
}

#[test]
fn a_broken_socket_is_opened_again_and_the_history_goes_on() {
    let mut updates = happy();
    let last = updates.split_off(2);
    let shop = shop(&[
        SocketScript { updates, breaks: true },
        SocketScript { updates: last, breaks: false },
    ]);
    let toml = format!("{WATCH}params = {{ retryFor = \"20s\" }}\n");
    let outcome = perform(&toml, &shop.targets);
    let socket = socket(&outcome);
    assert_eq!((socket.opened, socket.frames, socket.ended), (2, 3, true));
    assert_eq!(socket.violations, Vec::<String>::new());
    assert_eq!(outcome.rate("availability", &[("name", "ws")]), (2, 2));
    assert_eq!(outcome.count("ws_errors", &[]), 1);
}

#[test]
fn an_order_that_does_not_end_is_given_up_and_said_so() {
    let shop = shop(&[SocketScript { updates: vec![vec![OrderCreated]], breaks: false }]);
    let toml = format!("{WATCH}params = {{ endWithin = \"300ms\" }}\n");
    let outcome = perform(&toml, &shop.targets);
    assert!(!socket(&outcome).ended);
    assert_eq!(outcome.rate("checks", &[("check", "order has ended")]), (0, 1));
    assert_eq!(outcome.count("order_ended", &[]), 0);
}
