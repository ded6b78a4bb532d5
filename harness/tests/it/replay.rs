//! `doorbuster replay` against real processes: a service that is checked, a group that is set back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use contract::process::Ready;
use uuid::Uuid;

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

fn service(name: &str, kafka: &str, data: &Path, more: &[&str]) -> Started {
    let data = data.to_str().unwrap();
    let arguments = ["service", name, "--kafka", kafka, "--port", "0", "--data-dir", data];
    Started::new(doorbuster(&[&arguments[..], &["--exit-with-parent"], more].concat()))
}

const OFTEN: [&str; 2] = ["--snapshot-interval-ms", "100"];
const NEVER: [&str; 2] = ["--snapshot-interval-ms", "0"];

/// One request over a connection of its own; the whole answer.
fn ask(address: SocketAddr, request: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Orders under a key; the status, and the order's id if there is one.
fn order(address: SocketAddr, key: &str, quantity: u32) -> (u16, Option<Uuid>) {
    let body = format!(r#"{{"product_id":"product-1","quantity":{quantity}}}"#);
    let headers = format!("content-type: application/json\r\nidempotency-key: {key}\r\n");
    let answer = ask(address, "POST /order", &headers, &body);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let id = body["order_id"].as_str().map(|id| id.parse().unwrap());
    (status, id)
}

/// `doorbuster replay` of a service from the oldest event on, as fast as it goes.
fn replay(name: &str, service: &Started, more: &[&str]) -> (Option<i32>, String, String) {
    let management = format!("http://{}", service.ready.management.unwrap());
    let arguments = ["replay", "--service", name, "--management", &management];
    let all = ["--from", "earliest", "--rate", "0"];
    let output = output(&[&arguments[..], &all, more].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn metrics(service: &Started) -> String {
    ask(service.ready.management.unwrap(), "GET /metrics", "", "")
}

#[test]
fn a_service_is_checked_and_a_group_is_set_back_only_when_nobody_is_in_it() {
    let _one = one_shop();
    let data = tempfile::tempdir().unwrap();
    let (_broker, kafka) = broker();
    let shop = service("order", &kafka, data.path(), &OFTEN);
    let inventory = service("inventory", &kafka, data.path(), &OFTEN);
    for number in 0..5 {
        assert_eq!(order(shop.ready.address, &format!("checked-{number}"), 1).0, 201);
    }
    for (name, service) in [("order", &shop), ("inventory", &inventory)] {
        // The orders travel: until all of them have arrived there is less to compare.
        let progress = wait_for("five orders", || {
            let (code, said, progress) = replay(name, service, &[]);
            assert_eq!(code, Some(0), "{progress}");
            said.contains("consistent: 5 orders").then_some(progress)
        });
        assert!(progress.contains("100 %"), "a line of progress: {progress}");
    }
    let management = format!("http://{}", shop.ready.management.unwrap());
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
    let inventory = service("inventory", &kafka, data.path(), &OFTEN);
    inventory.stop();
    let report = output(&["audit", "--kafka", &kafka, "--json", "--stuck-after", "1"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report.to_string().contains("inventory"), "{report}");
}

/// Makes a snapshot lie about how much was ordered under `id`, with a checksum that fits.
fn tamper(folder: &Path, id: Uuid, quantity: u8) {
    let mut lies = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "snapshot") {
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(16).position(|window| window == id.as_bytes());
        let Some(place) = found else { continue };
        // The id, the entry's length, the product, the quantity.
        bytes[place + 18] = quantity;
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        std::fs::write(&path, bytes).unwrap();
        lies += 1;
    }
    assert!(lies > 0, "no snapshot knows {id}");
}

#[test]
fn an_order_service_that_believes_a_lie_is_mended_and_forgets_nothing_meanwhile() {
    let _one = one_shop();
    let data = tempfile::tempdir().unwrap();
    let (_broker, kafka) = broker();
    // Patient: an order whose answer is late is sent again, and would be in the log twice.
    let patient = ["--order-limit", "0", "--publish-timeout-ms", "9000"];
    let start =
        |snapshots: &[&str]| service("order", &kafka, data.path(), &[snapshots, &patient].concat());
    let first = start(&OFTEN);
    let place = |service: &Started, name: &str, number: usize| {
        let (status, id) = order(service.ready.address, &format!("{name}-{number}"), 1);
        assert_eq!(status, 201);
        id.unwrap()
    };
    let placed: Vec<Uuid> = (0..12).map(|number| place(&first, "before", number)).collect();
    wait_for("a snapshot of them", || {
        metrics(&first).contains("snapshot_orders 12\n").then_some(())
    });
    drop(first);

    tamper(&data.path().join("order-1"), placed[0], 9);
    let second = start(&NEVER);
    let address = second.ready.address;
    assert_eq!(order(address, "before-0", 1).0, 422, "the lie is believed");
    assert_eq!(order(address, "before-0", 9), (201, Some(placed[0])));
    let (code, said, _) = replay("order", &second, &[]);
    assert_eq!(code, Some(91), "{said}");
    assert!(said.contains("differs: 1 of 12 orders"), "{said}");
    assert!(said.contains(&format!("{}: live 0009, log 0001", placed[0])), "{said}");
    assert_eq!(order(address, "before-0", 1).0, 422, "a check changes nothing");

    let mended = AtomicBool::new(false);
    let during: Vec<Uuid> = std::thread::scope(|scope| {
        let until_mended = (0..).take_while(|_| !mended.load(Ordering::Relaxed));
        let placing = scope.spawn(|| until_mended.map(|n| place(&second, "during", n)).collect());
        let (code, said, progress) = replay("order", &second, &["--apply"]);
        mended.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{said}{progress}");
        assert!(said.contains("mended: 1 of "), "{said}");
        placing.join().unwrap()
    });
    assert_eq!(order(address, "before-0", 1), (201, Some(placed[0])));
    assert_eq!(order(address, "before-0", 9).0, 422);
    for (number, id) in during.iter().enumerate() {
        assert_eq!(order(address, &format!("during-{number}"), 1), (201, Some(*id)));
        assert_eq!(order(address, &format!("during-{number}"), 2).0, 422);
    }
    // None of all this has written an order a second time.
    let all = placed.len() + during.len();
    let said = wait_for("the last order read back", || {
        let (code, said, _) = replay("order", &second, &[]);
        assert_eq!(code, Some(0), "{said}");
        said.contains(&format!("consistent: {all} orders")).then_some(said)
    });
    let replayed = format!("replayed {all} events from the oldest event on (0 dropped");
    assert!(said.contains(&replayed), "{said}");
    drop(second);

    // The lie is not in its files any more either.
    let third = start(&NEVER);
    let restored = metrics(&third);
    let restored = restored.lines().find_map(|line| line.strip_prefix("snapshot_orders_restored "));
    assert!(restored.unwrap().parse::<u32>().unwrap() >= 12, "{restored:?}");
    assert_eq!(order(third.ready.address, "before-0", 9).0, 422);
    assert_eq!(order(third.ready.address, "before-0", 1), (201, Some(placed[0])));
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

/// Answers one request as a service does whose state is kept in tables.
fn refuses_to_replay(listener: &std::net::TcpListener) {
    use std::io::{BufRead as _, Write as _};
    let (stream, _) = listener.accept().unwrap();
    let mut head = std::io::BufReader::new(&stream).lines();
    assert_eq!(head.next().unwrap().unwrap(), "POST /replay HTTP/1.1");
    let details = "the tables in PostgreSQL are the state of this service";
    let timestamp = "2026-01-01T00:00:00Z";
    let error = "nothing to replay";
    let body = serde_json::json!({ "error": error, "details": details, "timestamp": timestamp });
    let (body, mut stream) = (body.to_string(), &stream);
    let length = body.len();
    write!(stream, "HTTP/1.1 409 Conflict\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    // The client closes when it has read the answer.
    while head.next().is_some_and(|line| line.is_ok()) {}
}

#[test]
fn why_a_service_does_not_replay_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let management = format!("http://{}", listener.local_addr().unwrap());
    let service = std::thread::spawn(move || refuses_to_replay(&listener));
    let output = output(&["replay", "--service", "inventory", "--management", &management]);
    service.join().unwrap();
    assert_eq!(output.status.code(), Some(104));
    let said = text(&output.stderr);
    assert!(said.contains("nothing to replay: the tables in PostgreSQL are the state"), "{said}");
}
