//! `doorbuster replay` against real processes: a service that is checked, a group that is set back.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use contract::process::Ready;

use crate::process::{doorbuster, one_shop, output, text, wait_for};

/// A child that says when it is ready. Killed when dropped.
struct Started {
    child: Child,
    ready: Ready,
    _said: BufReader<ChildStdout>,
}

impl Started {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        Self { child, ready, _said: said }
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broker() -> (Started, String) {
    let broker = Started::new(doorbuster(&["broker", "--listen", "127.0.0.1:0"]));
    let kafka = broker.ready.address.to_string();
    (broker, kafka)
}

fn service(name: &str, kafka: &str, data: &std::path::Path) -> Started {
    let data = data.to_str().unwrap();
    Started::new(doorbuster(&[
        "service",
        name,
        "--kafka",
        kafka,
        "--port",
        "0",
        "--data-dir",
        data,
        "--exit-with-parent",
        "--snapshot-interval-ms",
        "100",
    ]))
}

fn place_order(service: &Started) {
    use std::io::{Read as _, Write as _};
    let body = r#"{"product_id":"product-1","quantity":1}"#;
    let mut stream = std::net::TcpStream::connect(service.ready.address).unwrap();
    write!(
        stream,
        "POST /order HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn a_service_is_checked_and_a_group_is_set_back_only_when_nobody_is_in_it() {
    let _one = one_shop();
    let data = tempfile::tempdir().unwrap();
    let (_broker, kafka) = broker();
    let order = service("order", &kafka, data.path());
    let inventory = service("inventory", &kafka, data.path());
    for _ in 0..5 {
        place_order(&order);
    }
    for (name, service) in [("order", &order), ("inventory", &inventory)] {
        let management = format!("http://{}", service.ready.management.unwrap());
        // The orders travel: until all of them have arrived there is less to compare.
        let said = wait_for("five orders", || {
            let arguments = ["replay", "--service", name, "--management", &management];
            let output = output(&[&arguments[..], &["--from", "earliest", "--rate", "0"]].concat());
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let said = text(&output.stdout);
            said.contains("consistent: 5 orders").then(|| (said, text(&output.stderr)))
        });
        assert!(said.1.contains("100 %"), "a line of progress: {}", said.1);
    }
    let management = format!("http://{}", order.ready.management.unwrap());
    let wrong = output(&["replay", "--service", "payment", "--management", &management]);
    assert_eq!(wrong.status.code(), Some(104));
    assert!(text(&wrong.stderr).contains("of order, not of payment"), "{}", text(&wrong.stderr));

    let reset = |to: &str| {
        let data = data.path().to_str().unwrap();
        let group = ["replay", "--reset", "inventory-service", "--to", to, "--kafka", &kafka];
        output(&[&group[..], &["--data-dir", data]].concat())
    };
    let refused = reset("earliest");
    assert_eq!(refused.status.code(), Some(104));
    assert!(text(&refused.stderr).contains("inventory-1"), "{}", text(&refused.stderr));
    inventory.stop();
    let done = reset("earliest");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let lines = text(&done.stdout);
    assert_eq!(lines.matches("→ 0").count(), 8, "two topics of four partitions: {lines}");
    let outside = reset("1000");
    assert_eq!(outside.status.code(), Some(104));
    assert!(text(&outside.stderr).contains("is not in it"), "{}", text(&outside.stderr));

    // The service reads everything again, and decides nothing twice.
    let inventory = service("inventory", &kafka, data.path());
    inventory.stop();
    let report = output(&["audit", "--kafka", &kafka, "--json", "--stuck-after", "1"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report.to_string().contains("inventory"), "{report}");
}

#[test]
fn nobody_at_the_management_port_is_said() {
    let nobody = "http://127.0.0.1:9";
    let output = output(&["replay", "--service", "status", "--management", nobody]);
    assert_eq!(output.status.code(), Some(104));
    assert!(text(&output.stderr).contains(nobody), "{}", text(&output.stderr));
    let help = doorbuster(&["replay", "--help"]).output().unwrap();
    assert!(text(&help.stdout).contains("Examples:"));
}
