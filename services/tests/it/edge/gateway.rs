//! The payment gateway: idempotent by order, failing as it is told to, with a ledger that shows it.

use std::net::SocketAddr;

use contract::http::{Charge, ChargeOutcome, ChargeRequest, Health};
use contract::ids::OrderId;
use contract::money::Cents;

use super::child::{DEADLINE, Service};
use super::client::{Answer, HERE, JSON, post, read, send_from};

async fn charge(gateway: SocketAddr, order_id: OrderId, amount: i64) -> Answer {
    let body = ChargeRequest { order_id, amount: Cents(amount) };
    let body = serde_json::to_vec(&body).unwrap();
    let headers = [JSON, ("idempotency-key", &order_id.to_string())];
    send_from(HERE, gateway, post("/charges", &headers, body)).await
}

async fn ledger(gateway: SocketAddr) -> Vec<Charge> {
    let answer = read(gateway, "/ledger").await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines = std::str::from_utf8(&answer.body).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn money_is_taken_once_however_often_it_is_asked_for() {
    let gateway = Service::start(&["gateway", "--port", "0"]).await;
    let order_id = OrderId::for_idempotency_key("a");
    let first = charge(gateway.address, order_id, 2999).await;
    assert_eq!(first.status, 200);
    let first: Charge = first.json();
    assert_eq!((first.outcome, first.captures), (ChargeOutcome::Captured, 1));
    let again: Charge = charge(gateway.address, order_id, 2999).await.json();
    assert_eq!(again, Charge { attempts: 2, ..first });
    charge(gateway.address, order_id, 3000).await.error(422);
    let read: Charge = read(gateway.address, &format!("/charges/{order_id}")).await.json();
    assert_eq!((read.captures, read.amount), (1, Cents(2999)));
    assert_eq!(ledger(gateway.address).await, [read]);
}

#[tokio::test]
async fn a_declined_card_takes_no_money() {
    let arguments = ["gateway", "--port", "0", "--decline-rate", "1"];
    let gateway = Service::start(&arguments).await;
    for _ in 0..2 {
        let answer = charge(gateway.address, OrderId::for_idempotency_key("a"), 2999).await;
        assert_eq!(answer.status, 402);
        let charge: Charge = answer.json();
        assert_eq!((charge.outcome, charge.captures), (ChargeOutcome::Declined, 0));
    }
}

#[tokio::test]
async fn a_failing_gateway_fails_before_and_after_and_repeats_find_out() {
    let arguments =
        ["gateway", "--port", "0", "--error-rate", "1", "--latency-median-ms", "0", "--seed", "3"];
    let gateway = Service::start(&arguments).await;
    let (mut before, mut after) = (0, 0);
    for number in 0..50 {
        let order_id = OrderId::for_idempotency_key(&number.to_string());
        charge(gateway.address, order_id, 2999).await.error(500);
        match read(gateway.address, &format!("/charges/{order_id}")).await.status.as_u16() {
            404 => before += 1,
            200 => after += 1,
            other => panic!("{other}"),
        }
        // Every failure but those before the money is taken is followed by the charge.
        while charge(gateway.address, order_id, 2999).await.status != 200 {}
    }
    assert!(before > 0 && after > 0, "{before} before, {after} after");
    let ledger = ledger(gateway.address).await;
    assert_eq!(ledger.len(), 50);
    assert!(ledger.iter().all(|charge| charge.captures == 1 && charge.attempts >= 2));
}

#[tokio::test]
async fn a_silent_gateway_never_answers_and_its_server_gives_up_after_ten_seconds() {
    let arguments =
        ["gateway", "--port", "0", "--silent-rate", "1", "--query-error-rate", "1", "--seed", "3"];
    let gateway = Service::start(&arguments).await;
    // Whoever has less patience than the server has no answer at all.
    let address = gateway.address;
    let asked = (0..8).map(|number| async move {
        let order_id = OrderId::for_idempotency_key(&number.to_string());
        charge(address, order_id, 2999).await.error(503).details
    });
    let details = futures_util::future::join_all(asked).await;
    assert!(details.iter().all(|details| details.contains("within 10 s")), "{details:?}");
    let taken = ledger(gateway.address).await;
    assert!((1..8).contains(&taken.len()), "half of the money is taken: {taken:?}");
    let path = format!("/charges/{}", taken[0].order_id);
    read(gateway.address, &path).await.error(500);
}

#[tokio::test]
async fn a_gateway_that_fails_for_a_time_answers_everything_then() {
    let faults = ["--silent-rate", "1", "--query-error-rate", "1", "--faults-for-ms", "2000"];
    let gateway = Service::start(&[&["gateway", "--port", "0"], &faults[..]].concat()).await;
    let order_id = OrderId::for_idempotency_key("late");
    let path = format!("/charges/{order_id}");
    read(gateway.address, &path).await.error(500);
    let answered = async {
        while read(gateway.address, &path).await.status == 500 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, answered).await.expect("its faults end");
    assert_eq!(charge(gateway.address, order_id, 2999).await.status, 200);
    assert_eq!(read(gateway.address, &path).await.status, 200);
}

#[tokio::test]
async fn what_is_no_charge_is_refused_and_what_was_never_seen_not_found() {
    let gateway = Service::start(&["gateway", "--port", "0"]).await;
    let order_id = OrderId::for_idempotency_key("a").to_string();
    let other = OrderId::for_idempotency_key("b").to_string();
    let body = format!(r#"{{"order_id":"{order_id}","amount":29.99}}"#);
    let nothing = format!(r#"{{"order_id":"{order_id}","amount":0}}"#);
    for (key, body) in [
        (None, body.as_str()),
        (Some("no-uuid"), &body),
        (Some(&other), &body),
        (Some(&order_id), "{}"),
        (Some(&order_id), &nothing),
    ] {
        let mut headers = vec![JSON];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let request = post("/charges", &headers, body.to_owned());
        send_from(HERE, gateway.address, request).await.error(400);
    }
    read(gateway.address, &format!("/charges/{order_id}")).await.error(404);
    read(gateway.address, "/charges/7").await.error(400);
    assert!(ledger(gateway.address).await.is_empty());
    let health: Health = read(gateway.address, "/health").await.json();
    assert_eq!((health.status.as_str(), health.kafka.as_str()), ("ok", "unused"));
}
