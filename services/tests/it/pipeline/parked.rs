//! Payments whose outcome is unknown: parked, listed, and settled by the gateway or by hand; never charged
//! blindly, never given up blindly.

use std::net::SocketAddr;

use contract::events::{Event, EventType};
use contract::http::{Charge, ChargeOutcome};
use contract::ids::OrderId;
use contract::management::{
    Faults, GatewayAnswer, ParkedPayment, ParkedPayments, Resolution, ResolvePayment,
    ResolvedPayment,
};
use contract::topics::Step;

use super::history::PAUSE;
use super::shop::{Shop, names};
use crate::edge::child::{DEADLINE, Service};
use crate::edge::client::{Answer, HERE, JSON, post, read, send_from};

/// Impatient, so that a charge is given up soon, and slow to ask again unless a test wants it.
const IMPATIENT: [&str; 4] = ["--gateway-patience-ms", "200", "--payment-budget-ms", "400"];
const SELDOM: [&str; 2] = ["--parked-query-ms", "3600000"];

pub(super) const SILENT: Faults =
    Faults { error_rate: None, silent_rate: Some(1.0), query_error_rate: Some(1.0) };
pub(super) const SOUND: Faults =
    Faults { error_rate: None, silent_rate: Some(0.0), query_error_rate: Some(0.0) };

pub(super) async fn faults(gateway: &Service, faults: Faults) {
    let body = serde_json::to_vec(&faults).unwrap();
    let answer = send_from(HERE, gateway.management.unwrap(), post("/faults", &[JSON], body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn payment(shop: &Shop, instance: &str, more: &[&str]) -> Service {
    let url = format!("http://{}", shop.gateway.address);
    let arguments = ["payment", "--gateway", &url, "--instance", instance];
    shop.service(&[&arguments[..], &IMPATIENT, more].concat()).await
}

async fn page(payment: &Service, query: &str) -> ParkedPayments {
    let path = format!("/payments/parked{query}");
    read(payment.management.unwrap(), &path).await.json()
}

/// Looks until so many payments are parked.
async fn until_parked(payment: &Service, count: usize) -> Vec<ParkedPayment> {
    let look = async {
        loop {
            let page = page(payment, "").await;
            if page.parked == count {
                return page.payments;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("parked in time")
}

async fn resolve(management: SocketAddr, order: OrderId, body: &ResolvePayment) -> Answer {
    let path = format!("/payments/parked/{order}/resolve");
    send_from(HERE, management, post(&path, &[JSON], serde_json::to_vec(body).unwrap())).await
}

fn by_hand(outcome: Resolution) -> ResolvePayment {
    ResolvePayment { outcome, reason: Some("the bank's statement says so".into()) }
}

async fn ledger(shop: &Shop) -> Vec<Charge> {
    let answer = read(shop.gateway.address, "/ledger").await;
    let lines = std::str::from_utf8(&answer.body).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_unknown_outcome_is_parked_outlives_the_process_and_settles_itself() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(1_000).await;
    let first = payment(&shop, "1", &SELDOM).await;
    let _delivery = shop.delivery().await;

    faults(&shop.gateway, SILENT).await;
    let unknown = shop.order(names("unknown", 8)).await;
    let parked = until_parked(&first, 8).await;
    assert!(parked.iter().all(|payment| payment.attempts >= 2 && !payment.settling));
    assert!(parked.iter().all(|payment| payment.last_answer == GatewayAnswer::Error));
    assert!(parked.iter().all(|payment| payment.amount.0 == 3 * 4_999));
    assert!(unknown.iter().all(|order| parked.iter().any(|it| it.order_id == *order)));

    // They hold nobody up: others pass, and are committed.
    faults(&shop.gateway, SOUND).await;
    let others = shop.order(names("others", 20)).await;
    shop.reader.all_ended(&others).await;
    let before = ledger(&shop).await;

    first.kill().await;
    let second = payment(&shop, "1", &SELDOM).await;
    let restored = until_parked(&second, 8).await;
    for (restored, parked) in restored.iter().zip(&parked) {
        assert_eq!(restored.order_id, parked.order_id);
        assert_eq!((restored.amount, restored.since), (parked.amount, parked.since));
        assert_eq!((restored.attempts, restored.last_answer), (0, GatewayAnswer::NotAsked));
    }
    assert_eq!(ledger(&shop).await, before, "nothing is charged again after a restart");
    second.kill().await;

    // What was taken is paid; what is not there, long after the last attempt, never was.
    let quick = ["--parked-query-ms", "100", "--parked-quiet-ms", "300"];
    let _third = payment(&shop, "1", &quick).await;
    let history = shop.reader.all_ended(&unknown).await;
    let ledger = ledger(&shop).await;
    for order in unknown {
        let captured = ledger
            .iter()
            .any(|charge| charge.order_id == order && charge.outcome == ChargeOutcome::Captured);
        let paid = history.outcome(order, Step::Payment) == Some(EventType::PaymentCompleted);
        assert_eq!(paid, captured, "{order}");
    }
    assert!(ledger.iter().all(|charge| charge.captures == 1), "{ledger:?}");
}

#[tokio::test]
async fn somebody_resolves_it_by_hand_but_not_against_the_gateways_word() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(1_000).await;
    let payment = payment(&shop, "1", &SELDOM).await;
    let _delivery = shop.delivery().await;
    let management = payment.management.unwrap();

    faults(&shop.gateway, SILENT).await;
    let orders = shop.order(names("by-hand", 12)).await;
    until_parked(&payment, 12).await;
    let first: ParkedPayments = page(&payment, "?limit=5").await;
    let next = first.next.unwrap();
    let second = page(&payment, &format!("?limit=7&after={next}")).await;
    assert_eq!((first.payments.len(), second.payments.len(), second.next), (5, 7, None));

    // Asked while the gateway does not answer, it stays parked.
    let query = ResolvePayment { outcome: Resolution::Query, reason: None };
    let answer: ResolvedPayment = resolve(management, orders[0], &query).await.json();
    assert_eq!((answer.settled, answer.last_answer), (false, GatewayAnswer::Error));
    for (order, said, event_type) in [
        (orders[0], Resolution::Captured, EventType::PaymentCompleted),
        (orders[1], Resolution::NotCharged, EventType::PaymentFailed),
    ] {
        let answer: ResolvedPayment = resolve(management, order, &by_hand(said)).await.json();
        assert_eq!((answer.settled, answer.event_type), (true, Some(event_type)));
        resolve(management, order, &by_hand(said)).await.error(404);
    }

    faults(&shop.gateway, SOUND).await;
    let ledger = ledger(&shop).await;
    let taken = orders[2..].iter().find(|order| ledger.iter().any(|it| it.order_id == **order));
    let taken = *taken.expect("the gateway takes the money of half of them");
    let denied = resolve(management, taken, &by_hand(Resolution::NotCharged)).await.error(409);
    assert!(denied.details.contains("taken the money"), "{denied:?}");
    let answer: ResolvedPayment = resolve(management, taken, &query).await.json();
    assert_eq!(answer.event_type, Some(EventType::PaymentCompleted));
    let agreed = [orders[0], orders[1], taken];
    let history = shop.reader.all_ended(&agreed).await;
    match history.first(orders[1], Step::Payment) {
        Some(Event::Payment(failed)) => {
            assert_eq!(failed.reason.as_deref(), Some("the bank's statement says so"));
        }
        other => panic!("{other:?}"),
    }

    let reasonless = ResolvePayment { outcome: Resolution::Captured, reason: None };
    resolve(management, orders[3], &reasonless).await.error(400);
    let text = read(management, "/metrics").await;
    let text = std::str::from_utf8(&text.body).unwrap();
    assert!(text.contains("payments_parked 9"), "{text}");
    assert!(text.contains(r#"payments_resolved_total{by="hand",event="PaymentFailed"} 1"#));
    assert!(text.contains(r#"payment_attempts_total{asked="charge",outcome="silent"}"#));
}

#[tokio::test]
async fn a_parked_payment_moves_with_its_partition() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(1_000).await;
    let mut first = payment(&shop, "1", &SELDOM).await;
    faults(&shop.gateway, SILENT).await;
    shop.order(names("moves", 10)).await;
    let parked = until_parked(&first, 10).await;
    let second = payment(&shop, "2", &SELDOM).await;
    let divided = async {
        loop {
            let (first, second) = (page(&first, "").await, page(&second, "").await);
            if first.parked + second.parked == 10 && second.parked > 0 {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, divided).await.expect("each has its own");
    first.terminate();
    assert!(first.ended().await.success());
    let moved = until_parked(&second, 10).await;
    assert!(moved.iter().zip(&parked).all(|(moved, parked)| moved.order_id == parked.order_id));
}

#[tokio::test]
async fn when_there_is_no_room_for_more_nothing_more_is_charged() {
    let shop = Shop::open("0.0").await;
    let _inventory = shop.inventory(10_000).await;
    let quick = ["--parked-query-ms", "50", "--parked-quiet-ms", "100", "--max-parked", "2"];
    let payment = payment(&shop, "1", &quick).await;
    let _delivery = shop.delivery().await;
    faults(&shop.gateway, SILENT).await;
    let orders = shop.order(names("crowd", 12)).await;
    until_parked(&payment, 2).await;
    assert!(page(&payment, "").await.parked <= 2);
    faults(&shop.gateway, SOUND).await;
    let history = shop.reader.all_ended(&orders).await;
    let ledger = ledger(&shop).await;
    for order in orders {
        let paid = history.outcome(order, Step::Payment) == Some(EventType::PaymentCompleted);
        assert_eq!(paid, ledger.iter().any(|charge| charge.order_id == order), "{order}");
    }
}
