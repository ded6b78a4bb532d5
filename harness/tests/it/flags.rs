//! `run` with k6's flags, and outputs while it runs: the whole program, with real processes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::process::{doorbuster, one_shop, summary, text, wait_for};

/// It would last ten minutes and fail its threshold.
const SCENARIO: &str = "\
name = \"flags\"
sendLagLimit = \"60s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 20
duration = \"10m\"
preAllocatedVUs = 50
[thresholds]
orders_created = [\"count>=1000000\"]
";

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let _turn = one_shop();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("flags.toml"), SCENARIO).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let (json, hlog) = (format!("json={}", path("a.jsonl")), format!("hlog={}", path("a.hlog")));
    let (csv, port) = (format!("csv={}", path("a.csv")), format!("prometheus={address}"));
    let (scenario, reports, export) = (path("flags.toml"), path("reports"), path("s.json"));
    let mut command = doorbuster(&[
        "run",
        &scenario,
        "--reports",
        &reports,
        "-d",
        "4s",
        "--tag",
        "commit=abc",
        "--no-thresholds",
        "-q",
        "--out",
        &json,
        "--out",
        &hlog,
        "-o",
        &port,
        "--summary-export",
        &export,
    ]);
    // Both are given on the command line as well; the third is not.
    command.env("DOORBUSTER_DURATION", "9m").env("DOORBUSTER_OUT", &csv);
    command.env("DOORBUSTER_REPORTS", path("elsewhere"));
    let running = std::thread::spawn(move || command.output().unwrap());
    let page = wait_for("the orders at the port", || {
        let page = scrape(&address)?;
        page.contains("doorbuster_orders_created_total").then_some(page)
    });
    assert!(
        page.contains("run=\"flags\",phase=\"flags\",commit=\"abc\",scenario=\"orders\""),
        "{page}"
    );
    let output = running.join().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", text(&output.stdout));
    assert!(said.is_empty(), "quiet: {said}");

    let summary = summary(reports.as_ref());
    assert_eq!(summary["metrics"]["orders_created"]["count"], 80, "20 a second for 4 s");
    let exported: Value = serde_json::from_slice(&fs::read(export).unwrap()).unwrap();
    assert_eq!(exported, summary);
    let lines: Vec<Value> = fs::read_to_string(path("a.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |line: &&Value| line["metric"] == "orders_created";
    let told: u64 =
        lines.iter().filter(of).map(|line| line["values"]["count"].as_u64().unwrap()).sum();
    assert_eq!(told, 80, "every order is in some line");
    assert!(lines.iter().filter(of).all(|line| line["tags"]["commit"] == "abc"));
    assert!(
        fs::read_to_string(path("a.hlog")).unwrap().contains("Tag=flags:http_req_duration:order,")
    );
    assert!(!folder.path().join("a.csv").exists(), "--out was given on the command line");
    assert!(!folder.path().join("elsewhere").exists());
}

fn scrape(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}
