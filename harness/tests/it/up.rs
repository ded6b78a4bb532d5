//! A shop that is kept: closed and opened again it goes on with the same orders.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{ChildStdout, Stdio};

use contract::http::{CreateOrderResponse, InventoryItem};
use contract::order::Order;
use serde::de::DeserializeOwned;

use crate::process::{Running, doorbuster, one_shop, output, text, wait_for};

/// A shop that is open, on ports of its own.
struct Open {
    shop: Running,
    /// Names and addresses, as it told them.
    told: Vec<String>,
    /// Nobody may close it while the shop writes.
    _rest: BufReader<ChildStdout>,
}

impl Open {
    fn on(data: &Path) -> Self {
        let data = data.to_str().unwrap();
        let mut command = doorbuster(&["up", "--free-ports", "--data", data]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let shop = Running(child);
        let mut told = Vec::new();
        loop {
            let mut line = String::new();
            assert!(rest.read_line(&mut line).unwrap() > 0, "it ended: {told:?}");
            if line.starts_with("ready for orders") {
                return Self { shop, told, _rest: rest };
            }
            told.push(line);
        }
    }

    fn ask<T: DeserializeOwned>(&self, service: &str, request: &str) -> Option<T> {
        let line = self.told.iter().find(|line| line.starts_with(service)).expect("it is there");
        let address = line.split_whitespace().nth(1).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn get<T: DeserializeOwned>(&self, service: &str, path: &str) -> Option<T> {
        let head = "host: shop\r\nconnection: close";
        self.ask(service, &format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n"))
    }

    fn order(&self) -> String {
        let body = r#"{"product_id":"product-1","quantity":2}"#;
        let head = "host: shop\r\nconnection: close\r\ncontent-type: application/json";
        let length = body.len();
        let request =
            format!("POST /order HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        let created: CreateOrderResponse = self.ask("order", &request).expect("taken on");
        created.order_id.to_string()
    }

    /// The order, once nothing more follows.
    fn ended(&self, order: &str) -> Order {
        wait_for("the order's end", || {
            let mut order: Order = self.get("status", &format!("/status/{order}"))?;
            // Concurrent steps may be told the other way round.
            order.events.sort_unstable_by_key(|event| event.event_id);
            (order.events.len() == 5).then_some(order)
        })
    }

    /// Waits until so many pieces are left and none is reserved: the inventory hears of a payment when
    /// everybody else does.
    fn has_left(&self, pieces: u64) {
        wait_for("the pieces to leave the shelf", || {
            let item: InventoryItem = self.get("inventory", "/inventory/product-1")?;
            ((item.current_stock, item.reserved_stock) == (pieces, 0)).then_some(())
        });
    }

    /// Closes it as whoever started it does.
    fn close(mut self) {
        self.shop.signal("-TERM");
        assert!(self.shop.0.wait().unwrap().success());
    }
}

fn refused(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(104), "{}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn a_shop_that_is_opened_again_goes_on_with_the_same_orders() {
    let _one = one_shop();
    let around = tempfile::tempdir().unwrap();
    let data = around.path().join("shop");
    let name = data.to_str().unwrap();
    let first = Open::on(&data);
    let order = first.order();
    let before = first.ended(&order);
    first.has_left(998);
    let second = refused(&["up", "--free-ports", "--data", name]);
    assert!(second.contains(name) && second.contains("in use"), "{second}");
    first.close();

    let other = refused(&["up", "--free-ports", "--data", name, "--stock", "product-1=5"]);
    assert!(other.contains("began with another --stock"), "{other}");
    let again = Open::on(&data);
    assert_eq!(again.ended(&order), before);
    again.has_left(998);
    let new = again.order();
    again.ended(&new);
    again.has_left(996);
    again.close();
}

#[test]
fn what_is_no_folder_is_refused_before_anything_starts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = file.path().to_str().unwrap();
    let message = refused(&["up", "--data", name]);
    assert!(message.contains(name) && message.contains("not a folder"), "{message}");
}
