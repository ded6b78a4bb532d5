//! Outputs while a load runs: real files, a real scrape, a disk that is full.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::metrics::{LoadState, Registry};
use loadgen::output::Outputs;
use serde_json::Value;
use tokio::sync::watch;

/// Two seconds: 3 requests of 10 ms, then 2 of 20 ms.
fn states() -> [Arc<LoadState>; 2] {
    let registry = Registry::new();
    let tags = [("name", "order"), ("note", "a,\"b\"")];
    let (times, reqs) =
        (registry.trend("http_req_duration", &tags), registry.counter("http_reqs", &tags));
    let mut state = LoadState::new();
    [(3, 10), (2, 20)].map(|(count, millis)| {
        for _ in 0..count {
            registry.observe(times, Duration::from_millis(millis));
        }
        registry.add(reqs, count);
        let second = state.elapsed() + Duration::from_secs(1);
        state.merge(0, &registry.snapshot(second)).expect("sound");
        Arc::new(state.clone())
    })
}

/// Plays the two seconds to these outputs and gives what they complained about.
async fn play(specs: &[String]) -> (Arc<Outputs>, Vec<String>) {
    let probe = tempfile::NamedTempFile::new().expect("a file");
    let last = format!("json={}", probe.path().display());
    let specs = specs.iter().chain([&last]);
    let specs: Vec<_> = specs.map(|spec| spec.parse().expect("a sound spec")).collect();
    let outputs = Arc::new(Outputs::open(&specs).expect("they open"));
    let [first, second] = states();
    let (_publish, load) = watch::channel(Arc::clone(&first));
    let started = DateTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let feed = outputs.follow("sale", "shop", started, load, move |failure| {
        let _ = tell.send(failure);
    });
    // Once the last output has the first second, all have it.
    let written = async {
        while probe.as_file().metadata().expect("it is there").len() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.expect("it is written soon");
    feed.end(second);
    let closing = Arc::clone(&outputs);
    let mut failures =
        tokio::task::spawn_blocking(move || closing.close()).await.expect("no panic");
    while let Ok(failure) = told.try_recv() {
        failures.push(failure);
    }
    (outputs, failures)
}

#[tokio::test]
async fn files_have_a_line_for_each_series_and_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let spec = |kind: &str, name: &str| format!("{kind}={}", path(name).display());
    let (_outputs, failures) =
        play(&[spec("json", "a.jsonl"), spec("csv", "a.csv"), spec("hlog", "a.hlog")]).await;
    assert_eq!(failures, Vec::<String>::new());
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("written");

    let lines: Vec<Value> =
        read("a.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |metric: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["metric"] == metric).collect()
    };
    let reqs = of("http_reqs");
    assert_eq!(reqs.len(), 2, "{lines:?}");
    assert_eq!(reqs[0]["time"], "2001-09-09T01:46:41.000Z");
    assert_eq!(reqs[0]["values"]["count"], 3);
    assert_eq!(reqs[1]["values"]["rate"], 2.0);
    assert_eq!(reqs[1]["tags"]["note"], "a,\"b\"");
    let times = of("http_req_duration");
    assert_eq!(
        (&times[0]["values"]["count"], &times[0]["values"]["avg"]),
        (&3.into(), &10.0.into())
    );
    assert_eq!(times[1]["values"]["avg"], 20.0, "only the second's own");
    assert_eq!((&times[1]["run"], &times[1]["phase"]), (&"sale".into(), &"shop".into()));

    let csv = read("a.csv");
    assert_eq!(csv.lines().count(), 1 + 4, "{csv}");
    assert!(csv.contains(",counter,\"name=order;note=a,\"\"b\"\"\",2,2.000,"), "{csv}");

    let hlog = read("a.hlog");
    let entries: Vec<_> = IntervalLogIterator::new(hlog.as_bytes())
        .map(|entry| entry.expect("what HDR tools can read"))
        .collect();
    let histograms = entries.iter().filter_map(|entry| match entry {
        LogEntry::Interval(histogram) => Some(histogram),
        _ => None,
    });
    let starts: Vec<_> = histograms
        .map(|it| (it.tag().map(|tag| tag.as_str().to_owned()), it.start_timestamp().as_secs()))
        .collect();
    let tag = Some("shop:http_req_duration:order".to_owned());
    assert_eq!(starts, [(tag.clone(), 0), (tag, 1)]);
}

fn scrape(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[tokio::test]
async fn prometheus_scrapes_the_present_state() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("its address").to_string();
    drop(free);
    let (outputs, failures) = play(&[format!("prometheus={address}")]).await;
    assert_eq!(failures, Vec::<String>::new());
    // The writer is done, and with it the port is closed.
    assert!(TcpStream::connect(&address).is_err());
    drop(outputs);

    let specs = [format!("prometheus={address}").parse().expect("sound")];
    let outputs = Arc::new(Outputs::open(&specs).expect("free again"));
    let [first, _] = states();
    let (_publish, load) = watch::channel(first);
    let feed =
        outputs.follow("sale", "shop", DateTime::UNIX_EPOCH, load, |failure| panic!("{failure}"));
    let page = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let address = address.clone();
            let page = tokio::task::spawn_blocking(move || scrape(&address, "/metrics")).await;
            let page = page.expect("a scrape");
            if page.contains("doorbuster_http_reqs_total") {
                return page;
            }
            tokio::task::yield_now().await;
        }
    });
    let page = page.await.expect("it is shown soon");
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    let labels = r#"run="sale",phase="shop",name="order",note="a,\"b\"""#;
    for line in [
        format!("doorbuster_http_reqs_total{{{labels}}} 3"),
        format!("doorbuster_http_req_duration_seconds_bucket{{{labels},le=\"0.01\"}} 3"),
        format!("doorbuster_http_req_duration_seconds_count{{{labels}}} 3"),
    ] {
        assert!(page.contains(&line), "no {line} in {page}");
    }
    let elsewhere = address.clone();
    let lost =
        tokio::task::spawn_blocking(move || scrape(&elsewhere, "/")).await.expect("answered");
    assert!(lost.contains("404") && lost.contains("/metrics"), "{lost}");
    drop(feed);
}

#[test]
fn what_cannot_be_opened_is_told_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    for spec in [format!("prometheus={address}"), "json=/no/such/folder/a.jsonl".into()] {
        let parsed = spec.parse().expect("sound");
        let error = Outputs::open(&[parsed]).err().expect("refused").to_string();
        assert!(error.starts_with(&format!("cannot open the output {spec}: ")), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_ends_its_output_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("a.jsonl");
    let specs = ["json=/dev/full".to_owned(), format!("json={}", good.display())];
    let (_outputs, failures) = play(&specs).await;
    assert_eq!(failures.len(), 1, "told once: {failures:?}");
    assert!(failures[0].starts_with("the output json=/dev/full ends here: "), "{failures:?}");
    assert_eq!(std::fs::read_to_string(good).expect("written").lines().count(), 4);
}
