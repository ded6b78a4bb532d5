//! Every door of real services, tried with what is right and with what is wrong: each answer is one that the
//! document promises, and nearly every promise is seen kept.

use std::collections::BTreeSet;

use axum::http::{Method, Request};
use bytes::Bytes;
use contract::events::EventType;
use contract::http::{Charge, CreateOrderResponse};
use contract::ids::OrderId;
use contract::process::port::{self, MANAGEMENT_OFFSET};
use http_body_util::Full;
use tokio_tungstenite::tungstenite::Message;

use super::document::Document;
use crate::edge::child::Service;
use crate::edge::client::connect_from;
use crate::edge::client::{Answer, HERE, JSON, get, handshake, open, open_with, post, send_from};
use crate::edge::records::{Topics, event};

/// Promises that cannot be provoked from outside in moments, and the tests that see them kept.
const SEEN_ELSEWHERE: [(&str, &str, &str); 6] = [
    ("*", "429", "one_address_has_so_many_connections_and_others_and_proxies_are_served"),
    ("*", "500", "a_panic_is_answered_500_and_ends_nothing_else"),
    ("*", "503", "before_it_has_read_the_log_a_service_answers_503_and_says_when_to_come_again"),
    ("*", "408", "a_body_that_never_ends_is_given_up"),
    ("resolve_payment", "200", "somebody_resolves_it_by_hand_but_not_against_the_gateways_word"),
    ("resolve_payment", "409", "somebody_resolves_it_by_hand_but_not_against_the_gateways_word"),
];

/// Services under trial.
struct Trial {
    document: Document,
    seen: BTreeSet<(String, String)>,
}

type Ask = Request<Full<Bytes>>;

impl Trial {
    /// Sends one request to a service and judges the answer.
    async fn ask(
        &mut self,
        service: &Service,
        known_port: u16,
        request: Ask,
        status: u16,
    ) -> Answer {
        let managed = known_port > MANAGEMENT_OFFSET + port::ORDER - 1;
        let address = if managed { service.management.unwrap() } else { service.address };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = send_from(HERE, address, request).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        self.judge(known_port, &method, &path, &answer);
        answer
    }

    fn judge(&mut self, known_port: u16, method: &Method, path: &str, answer: &Answer) {
        let judged = match self.document.operation(known_port, method, path) {
            Some(operation) => {
                let promise = (operation.id.to_owned(), answer.status.as_str().to_owned());
                self.seen.insert(promise);
                self.document.judge(&operation, answer)
            }
            None => self.document.judge_error(answer),
        };
        judged.unwrap_or_else(|wrong| panic!("{method} {path}: {wrong}: {answer:?}"));
    }

    /// What was promised and not seen, here or elsewhere.
    fn unseen(&self) -> Vec<(String, String)> {
        let elsewhere = |(id, status): &(String, String)| {
            let same = |at: &(&str, &str, &str)| (at.0 == "*" || at.0 == id) && at.1 == status;
            SEEN_ELSEWHERE.iter().any(same)
        };
        let promises = self.document.promises().into_iter();
        promises.filter(|promise| !self.seen.contains(promise) && !elsewhere(promise)).collect()
    }
}

const ORDER: &str = r#"{"product_id":"product-1","quantity":2}"#;
const UNKNOWN: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

fn with_method(method: &str, path: &str) -> Ask {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "shop")
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn every_answer_of_every_door_is_documented_and_valid() {
    let broker = sim::Broker::start().unwrap();
    let gateway = Service::start(&["gateway", "--port", "0", "--error-rate", "0"]).await;
    let document = Document::of(gateway.address).await;
    let mut trial = Trial { document, seen: BTreeSet::new() };
    let order = Service::on(broker.address(), &["order", "--order-limit", "20"]).await;
    orders(&mut trial, &order).await;
    let status = Service::on(broker.address(), &["status", "--status-limit", "10"]).await;
    let topics = Topics::at(broker.address()).await;
    statuses(&mut trial, &status, &topics).await;
    sockets(&mut trial, &status).await;
    messages(&trial, &status, OrderId::for_idempotency_key("door-status")).await;
    let inventory = Service::on(broker.address(), &["inventory"]).await;
    for (path, code) in [("product-1", 200), ("product-4", 404), ("%ff", 400)] {
        let request = get(&format!("/inventory/{path}"));
        trial.ask(&inventory, port::INVENTORY, request, code).await;
    }
    charges(&mut trial, &gateway).await;
    let payment = Service::on(broker.address(), &["payment"]).await;
    management(&mut trial, [&gateway, &payment, &status]).await;
    for (service, known_port) in [
        (&order, port::ORDER),
        (&status, port::STATUS),
        (&inventory, port::INVENTORY),
        (&payment, port::PAYMENT),
        (&gateway, port::GATEWAY),
    ] {
        everywhere(&mut trial, service, known_port).await;
    }
    let unseen = trial.unseen();
    assert!(unseen.is_empty(), "promised, and neither seen nor said where: {unseen:#?}");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_503() {
    let slow = ["gateway", "--port", "0", "--silent-rate", "1"];
    let gateway = Service::start(&slow).await;
    let document = Document::of(gateway.address).await;
    let mut trial = Trial { document, seen: BTreeSet::new() };
    let body = format!(r#"{{"order_id":"{UNKNOWN}","amount":29.99}}"#);
    let request = post("/charges", &[JSON, ("idempotency-key", UNKNOWN)], body);
    let answer = trial.ask(&gateway, port::GATEWAY, request, 503).await;
    assert!(answer.error(503).details.contains("10 s"));
}

async fn orders(trial: &mut Trial, order: &Service) {
    let limited = |headers: &[(&str, &str)], body: &str| post("/order", headers, body.to_owned());
    let keyed = [JSON, ("idempotency-key", "door")];
    let large = " ".repeat(70_000);
    let other = ORDER.replace('2', "3");
    for (headers, body, status) in [
        (&keyed[..], ORDER, 201),
        (&keyed, ORDER, 201),
        (&keyed, &other, 422),
        (&[JSON], r#"{"product_id":"product-1","quantity":0}"#, 400),
        (&[JSON, ("idempotency-key", "")], ORDER, 400),
        (&[JSON], &large, 413),
        (&[], ORDER, 415),
    ] {
        let answer = trial.ask(order, port::ORDER, limited(headers, body), status).await;
        if status == 201 {
            let created: CreateOrderResponse = answer.json();
            assert_eq!(created.order_id, OrderId::for_idempotency_key("door"));
        }
    }
    for _ in 0..40 {
        let answer = send_from(HERE, order.address, limited(&[JSON], ORDER)).await;
        trial.judge(port::ORDER, &Method::POST, "/order", &answer);
        if answer.status == 429 {
            break;
        }
    }
}

async fn statuses(trial: &mut Trial, status: &Service, topics: &Topics) {
    let order_id = OrderId::for_idempotency_key("door-status");
    topics.write(&event(order_id, EventType::OrderCreated)).await;
    let path = format!("/status/{order_id}");
    let ask = |path: &str| send_from("127.0.0.3", status.address, get(path));
    let mut known = ask(&path).await;
    while known.status != 200 {
        trial.judge(port::STATUS, &Method::GET, &path, &known);
        known = send_from(HERE, status.address, get(&path)).await;
    }
    trial.judge(port::STATUS, &Method::GET, &path, &known);
    for (path, code) in [(UNKNOWN, 404), ("no-uuid", 400), ("%ff", 400)] {
        let path = format!("/status/{path}");
        let answer = send_from("127.0.0.4", status.address, get(&path)).await;
        assert_eq!(answer.status, code, "{path}");
        trial.judge(port::STATUS, &Method::GET, &path, &answer);
    }
    let pages = [
        (format!("{order_id}/events?limit=1"), 200),
        (format!("{order_id}/events?limit=none"), 400),
        (format!("{UNKNOWN}/events"), 404),
    ];
    for (page, code) in pages {
        let page = format!("/status/{page}");
        let answer = send_from("127.0.0.6", status.address, get(&page)).await;
        assert_eq!(answer.status, code, "{page}");
        trial.judge(port::STATUS, &Method::GET, &page, &answer);
    }
    let page = format!("/status/{order_id}/events");
    for _ in 0..20 {
        let answer = send_from("127.0.0.7", status.address, get(&page)).await;
        trial.judge(port::STATUS, &Method::GET, &page, &answer);
    }
    for _ in 0..20 {
        let answer = send_from("127.0.0.5", status.address, get(&path)).await;
        trial.judge(port::STATUS, &Method::GET, &path, &answer);
    }
}

async fn sockets(trial: &mut Trial, status: &Service) {
    let path = "/ws/door";
    trial.ask(status, port::STATUS, get(path), 426).await;
    trial.ask(status, port::STATUS, get(&format!("/ws/{}", "x".repeat(65))), 400).await;
    let mut evil = handshake(status.address, "door");
    evil.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    let refused = open_with(connect_from(HERE, status.address).await, evil).await.err().unwrap();
    assert_eq!(refused.status, 403);
    trial.judge(port::STATUS, &Method::GET, path, &refused);
    let mut held = Vec::new();
    let refused = loop {
        match open("127.0.0.6", status.address, "door").await {
            Ok(socket) => held.push(socket),
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused.status.as_u16(), held.len()), (429, 5));
    trial.judge(port::STATUS, &Method::GET, path, &refused);
    // The client's library has checked the 101 of each of them.
    trial.seen.insert(("open_socket".to_owned(), "101".to_owned()));
}

async fn charges(trial: &mut Trial, gateway: &Service) {
    let charge = |key: &str, order: &str, amount: &str| {
        let body = format!(r#"{{"order_id":"{order}","amount":{amount}}}"#);
        post("/charges", &[JSON, ("idempotency-key", key)], body)
    };
    for (request, status) in [
        (charge(UNKNOWN, UNKNOWN, "29.99"), 200),
        (charge(UNKNOWN, UNKNOWN, "49.99"), 422),
        (charge("no-uuid", UNKNOWN, "29.99"), 400),
        (charge(UNKNOWN, UNKNOWN, "-1"), 400),
        (post("/charges", &[("idempotency-key", UNKNOWN)], "{}"), 415),
        (post("/charges", &[JSON, ("idempotency-key", UNKNOWN)], " ".repeat(70_000)), 413),
        (get(&format!("/charges/{UNKNOWN}")), 200),
        (get("/charges/3fa85f64-5717-4562-b3fc-2c963f66afa7"), 404),
        (get("/charges/7"), 400),
        (get("/ledger"), 200),
    ] {
        trial.ask(gateway, port::GATEWAY, request, status).await;
    }
    let declining = ["gateway", "--port", "0", "--decline-rate", "1"];
    let declining = Service::start(&declining).await;
    let declined = trial.ask(&declining, port::GATEWAY, charge(UNKNOWN, UNKNOWN, "1"), 402).await;
    assert_eq!(declined.json::<Charge>().captures, 0);
}

/// What a socket says, in each of its ways.
async fn messages(trial: &Trial, status: &Service, order_id: OrderId) {
    let mut socket = open("127.0.0.7", status.address, &order_id.to_string()).await.unwrap();
    for (said, schema, kind) in [
        (None, "Message_Order", "order_update"),
        (Some("nonsense"), "Message_ErrorData", "error"),
        (Some(r#"{"type":"ping"}"#), "Message_ErrorData", "pong"),
    ] {
        if let Some(said) = said {
            socket.send(Message::text(said)).await;
        }
        let Some(Message::Text(text)) = socket.next().await else { panic!("no {kind}") };
        trial
            .document
            .judge_message(schema, &text)
            .unwrap_or_else(|wrong| panic!("{kind}: {wrong}"));
        assert!(text.contains(&format!(r#""type":"{kind}""#)), "{text}");
    }
}

/// What gateway, payment and status serve at the door for management.
async fn management(trial: &mut Trial, [gateway, payment, status]: [&Service; 3]) {
    let of = |port: u16| port + MANAGEMENT_OFFSET;
    let resolve = format!("/payments/parked/{UNKNOWN}/resolve");
    let json = |path: &str, body: &str| post(path, &[JSON], body.to_owned());
    let large = " ".repeat(70_000);
    let by_hand = r#"{"outcome":"captured","reason":"seen at the bank"}"#;
    for (service, port, request, code) in [
        (gateway, port::GATEWAY, get("/faults"), 200),
        (gateway, port::GATEWAY, json("/faults", r#"{"silent_rate":0}"#), 200),
        (gateway, port::GATEWAY, json("/faults", r#"{"silent_rate":2}"#), 400),
        (gateway, port::GATEWAY, json("/faults", r#"{"silence":1}"#), 400),
        (gateway, port::GATEWAY, json("/faults", &large), 413),
        (gateway, port::GATEWAY, post("/faults", &[], "{}"), 415),
        (payment, port::PAYMENT, get("/payments/parked?limit=5"), 200),
        (payment, port::PAYMENT, get("/payments/parked?limit=1001"), 400),
        (payment, port::PAYMENT, get("/payments/parked?after=7"), 400),
        (payment, port::PAYMENT, json(&resolve, by_hand), 404),
        (payment, port::PAYMENT, json(&resolve, r#"{"outcome":"captured"}"#), 400),
        (payment, port::PAYMENT, json(&resolve, r#"{"outcome":"maybe"}"#), 400),
        (payment, port::PAYMENT, json("/payments/parked/7/resolve", by_hand), 400),
        (payment, port::PAYMENT, json(&resolve, &large), 413),
        (payment, port::PAYMENT, post(&resolve, &[], by_hand), 415),
        (status, port::STATUS, get("/orders/stuck"), 200),
        (status, port::STATUS, get("/orders/stuck?after=7"), 400),
        (status, port::STATUS, json("/replay", r#"{"rate":-1}"#), 400),
        (status, port::STATUS, json("/replay", &large), 413),
        (status, port::STATUS, post("/replay", &[], "{}"), 415),
        // At this rate it still runs when the next one is asked for.
        (status, port::STATUS, json("/replay", r#"{"from":"earliest","rate":1}"#), 202),
        (status, port::STATUS, json("/replay", "{}"), 409),
        (status, port::STATUS, get("/replay"), 200),
    ] {
        trial.ask(service, of(port), request, code).await;
    }
}

/// What every service serves at both of its doors, and what none of them serves.
async fn everywhere(trial: &mut Trial, service: &Service, known_port: u16) {
    for door in [known_port, known_port + MANAGEMENT_OFFSET] {
        for path in ["/health", "/ready", "/openapi.json"] {
            trial.ask(service, door, get(path), 200).await;
        }
        for (method, path, status) in [
            ("GET", "/nowhere", 404),
            ("GET", "/", 404),
            ("DELETE", "/health", 405),
            ("POST", "/openapi.json", 405),
            ("BREW", "/ready", 405),
        ] {
            trial.ask(service, door, with_method(method, path), status).await;
        }
    }
    trial.ask(service, known_port + MANAGEMENT_OFFSET, get("/metrics"), 200).await;
    trial.ask(service, known_port, get("/metrics"), 404).await;
}
