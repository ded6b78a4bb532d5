//! What a service writes for those who run it: lines that a machine can read, with the order's id.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use contract::http::CreateOrderResponse;
use contract::process::Ready;
use serde_json::Value;

use crate::process::doorbuster;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Places an order; its id.
fn order(ready: &Ready) -> String {
    let body = r#"{"product_id":"product-1","quantity":1}"#;
    let mut stream = TcpStream::connect(ready.address).unwrap();
    write!(
        stream,
        "POST /order HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ntraceparent: {TRACEPARENT}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    assert!(head.starts_with("HTTP/1.1 201"), "{answer}");
    serde_json::from_str::<CreateOrderResponse>(body).unwrap().order_id.to_string()
}

#[test]
fn a_log_line_is_an_object_that_names_the_order_and_its_trace() {
    let broker = sim::Broker::start().unwrap();
    let data = tempfile::tempdir().unwrap();
    let (kafka, folder) = (broker.address().to_string(), data.path().to_str().unwrap());
    let arguments = ["service", "order", "--kafka", &kafka, "--port", "0", "--data-dir", folder];
    let mut command = doorbuster(&arguments);
    command.env("RUST_LOG", "info").env("LOG_FORMAT", "json");
    let mut service = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let order = order(&serde_json::from_str(&line).unwrap());

    let mut found = None;
    for line in BufReader::new(service.stderr.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).expect("every line is JSON");
        if line["order"] == order.as_str() {
            found = Some(line);
            break;
        }
    }
    service.kill().unwrap();
    service.wait().unwrap();
    let line = found.expect("a line about the order");
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"taken".into()), "{line}");
    assert_eq!(line["trace"], TRACEPARENT);
    assert!(line["timestamp"].is_string() && line["target"].is_string(), "{line}");
}
