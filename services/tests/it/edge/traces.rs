//! One trace from the HTTP request through the records' headers to the socket, told to a real collector.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post as route_post;
use axum::{Json, Router};
use contract::http::{Charge, ChargeOutcome, ChargeRequest, CreateOrderResponse};
use contract::ids::OrderId;
use contract::order::Order;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use super::child::{DEADLINE, Service};
use super::client::{HERE, JSON, open, post, send_from};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

/// Takes OTLP over HTTP.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<(String, Value)>>>,
    news: Arc<Notify>,
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let routes = Router::new().route("/v1/traces", route_post(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = axum::serve(listener, routes.with_state(collector.clone()));
        tokio::spawn(served.into_future());
        (collector, address)
    }

    fn spans(&self) -> Vec<(String, Value)> {
        self.spans.lock().unwrap().clone()
    }

    /// Waits until spans of all these services and names have come.
    async fn all(&self, spans: &[(&str, &str)]) {
        let complete = async {
            loop {
                let news = self.news.notified();
                let come = self.spans();
                let has = |wanted: &(&str, &str)| come.iter().any(|span| is(span, *wanted));
                if spans.iter().all(has) {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(DEADLINE, complete).await.is_err() {
            panic!("{spans:?} did not all come: {:#?}", self.spans());
        }
    }
}

async fn take(State(collector): State<Collector>, Json(request): Json<Value>) -> Json<Value> {
    for resource in request["resourceSpans"].as_array().unwrap() {
        let service = &resource["resource"]["attributes"][0];
        assert_eq!(service["key"], "service.name");
        let service = service["value"]["stringValue"].as_str().unwrap().to_owned();
        for scope in resource["scopeSpans"].as_array().unwrap() {
            let spans = scope["spans"].as_array().unwrap();
            let spans = spans.iter().map(|span| (service.clone(), span.clone()));
            collector.spans.lock().unwrap().extend(spans);
        }
    }
    collector.news.notify_waiters();
    Json(serde_json::json!({}))
}

fn is((service, span): &(String, Value), wanted: (&str, &str)) -> bool {
    service == wanted.0 && span["name"] == wanted.1
}

fn text<'a>(span: &'a Value, field: &str) -> &'a str {
    span[field].as_str().unwrap_or_else(|| panic!("no {field}: {span}"))
}

#[tokio::test]
async fn one_trace_leads_from_the_request_through_the_log_to_the_socket() {
    let (collector, address) = Collector::start().await;
    let broker = sim::Broker::start().unwrap();
    let endpoint = format!("http://{address}");
    let otlp = ["--otlp-endpoint", endpoint.as_str()];
    let gateway = ["gateway", "--latency-median-ms", "1", "--port", "0"];
    let gateway = Service::start(&[&gateway[..], &otlp].concat()).await;
    let gateway_url = format!("http://{}", gateway.address);
    let mut shop = HashMap::new();
    for arguments in [
        &["order"][..],
        &["inventory"],
        &["payment", "--gateway", &gateway_url],
        &["shipping"],
        &["notification"],
        &["status"],
    ] {
        let service = Service::on(broker.address(), &[arguments, &otlp].concat()).await;
        shop.insert(arguments[0], service);
    }

    let parent = format!("00-{TRACE}-{CLIENT_SPAN}-01");
    let order = r#"{"product_id":"product-1","quantity":1}"#;
    let request = post("/order", &[JSON, ("traceparent", &parent)], order);
    let created: CreateOrderResponse = send_from(HERE, shop["order"].address, request).await.json();
    let order_id = created.order_id.to_string();
    let mut socket = open(HERE, shop["status"].address, &order_id).await.unwrap();
    while socket.update().await.events.len() < 5 {}

    let path = [
        ("order", "POST /order"),
        ("order", "orders publish"),
        ("inventory", "inventory process"),
        ("payment", "payment process"),
        ("shipping", "shipping process"),
    ];
    let charge = [path[3], ("payment", "POST /charges"), ("gateway", "POST /charges")];
    let ends = [("notification", "notification process"), ("status", "order_update send")];
    collector.all(&[&path[..], &charge, &ends].concat()).await;
    let spans = collector.spans();
    let of_trace = || spans.iter().filter(|(_, span)| span["traceId"] == TRACE);
    let ids: HashSet<&str> = of_trace().map(|(_, span)| text(span, "spanId")).collect();
    assert_eq!(ids.len(), of_trace().count(), "ids are unique");
    for (service, span) in of_trace() {
        let parent = text(span, "parentSpanId");
        let known = parent == CLIENT_SPAN || ids.contains(parent);
        assert!(known, "the parent of {span} of {service} is nowhere");
        assert!(text(span, "startTimeUnixNano") <= text(span, "endTimeUnixNano"));
    }
    let find = |wanted| {
        let found = of_trace().find(|span| is(span, wanted));
        found.unwrap_or_else(|| panic!("no {wanted:?} of the client's trace"))
    };
    assert_eq!(text(&find(path[0]).1, "parentSpanId"), CLIENT_SPAN);
    for pair in path.windows(2).chain(charge.windows(2)) {
        let (cause, effect) = (find(pair[0]), find(pair[1]));
        assert_eq!(text(&effect.1, "parentSpanId"), text(&cause.1, "spanId"), "{effect:?}");
    }
    assert_eq!(find(charge[1]).1["kind"], 3, "a client's");
}

/// Notes the `traceparent` of each charge, and takes the money.
async fn take_money(
    State(charges): State<mpsc::UnboundedSender<Option<String>>>,
    headers: HeaderMap,
    Json(charge): Json<ChargeRequest>,
) -> Json<Charge> {
    let trace = headers.get("traceparent").map(|trace| trace.to_str().unwrap().to_owned());
    charges.send(trace).unwrap();
    let ChargeRequest { order_id, amount } = charge;
    let outcome = ChargeOutcome::Captured;
    Json(Charge { order_id, amount, outcome, reason: None, attempts: 1, captures: 1 })
}

#[tokio::test]
async fn a_gateway_is_told_the_trace_of_the_orders_request_even_without_a_collector() {
    let (charges, mut charged) = mpsc::unbounded_channel();
    let routes = Router::new().route("/charges", route_post(take_money)).with_state(charges);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    let broker = sim::Broker::start().unwrap();
    let order = Service::on(broker.address(), &["order"]).await;
    let _inventory = Service::on(broker.address(), &["inventory"]).await;
    let _payment = Service::on(broker.address(), &["payment", "--gateway", &gateway]).await;
    for trace in [Some(format!("00-{TRACE}-{CLIENT_SPAN}-00")), None] {
        let mut headers = vec![JSON];
        headers.extend(trace.as_deref().map(|trace| ("traceparent", trace)));
        let request = post("/order", &headers, r#"{"product_id":"product-1","quantity":1}"#);
        assert_eq!(send_from(HERE, order.address, request).await.status, 201);
        let told = tokio::time::timeout(DEADLINE, charged.recv()).await.expect("charged in time");
        assert_eq!(told.unwrap(), trace);
    }
}

#[tokio::test]
async fn without_a_collector_a_clients_trace_is_passed_on_unchanged_and_none_is_begun() {
    let broker = sim::Broker::start().unwrap();
    let order = Service::on(broker.address(), &["order"]).await;
    let status = Service::on(broker.address(), &["status"]).await;
    for (key, trace) in
        [("traced", Some(format!("00-{TRACE}-{CLIENT_SPAN}-00"))), ("untraced", None)]
    {
        let order_id = OrderId::for_idempotency_key(key).to_string();
        let mut socket = open(HERE, status.address, &order_id).await.unwrap();
        let mut headers = vec![JSON, ("idempotency-key", key)];
        headers.extend(trace.as_deref().map(|trace| ("traceparent", trace)));
        let request = post("/order", &headers, r#"{"product_id":"product-1","quantity":1}"#);
        assert_eq!(send_from(HERE, order.address, request).await.status, 201);
        assert_eq!(socket.text::<Order>().await.traceparent, trace);
    }
}
