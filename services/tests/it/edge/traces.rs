//! One trace from the HTTP request through the records' headers to the socket, told to a real collector.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post as route_post;
use axum::{Json, Router};
use contract::http::CreateOrderResponse;
use contract::ids::OrderId;
use contract::order::Order;
use serde_json::Value;
use tokio::sync::Notify;

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

    /// Waits until spans of all these names have come.
    async fn all(&self, names: &[&str]) {
        let complete = async {
            loop {
                let news = self.news.notified();
                let spans = self.spans();
                let has = |name: &&str| spans.iter().any(|(_, span)| span["name"] == **name);
                if names.iter().all(has) {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(DEADLINE, complete).await.is_err() {
            panic!("{names:?} did not all come: {:#?}", self.spans());
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

fn text<'a>(span: &'a Value, field: &str) -> &'a str {
    span[field].as_str().unwrap_or_else(|| panic!("no {field}: {span}"))
}

#[tokio::test]
async fn one_trace_leads_from_the_request_through_the_log_to_the_socket() {
    let (collector, address) = Collector::start().await;
    let broker = sim::Broker::start().unwrap();
    let endpoint = format!("http://{address}");
    let otlp = ["--otlp-endpoint", endpoint.as_str()];
    let gateway = Service::start(&["gateway", "--latency-median-ms", "1", "--port", "0"]).await;
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

    let names = [
        "POST /order",
        "orders publish",
        "inventory process",
        "payment process",
        "shipping process",
        "notification process",
        "order_update send",
    ];
    collector.all(&names).await;
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
    let find = |name: &str| {
        let found = of_trace().find(|(_, span)| span["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} of the client's trace"))
    };
    assert_eq!(text(&find("POST /order").1, "parentSpanId"), CLIENT_SPAN);
    for (cause, effect) in [
        ("POST /order", "orders publish"),
        ("orders publish", "inventory process"),
        ("inventory process", "payment process"),
        ("payment process", "shipping process"),
    ] {
        let (cause, effect) = (find(cause), find(effect));
        assert_eq!(text(&effect.1, "parentSpanId"), text(&cause.1, "spanId"), "{effect:?}");
    }
    assert_eq!(find("shipping process").0, "shipping");
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
