//! `prometheus=HOST:PORT`: the present state for Prometheus to scrape, in its text format.
//!
//! | metric is a | becomes |
//! |---|---|
//! | counter | `doorbuster_http_reqs_total` |
//! | gauge | `doorbuster_vus` |
//! | rate | `doorbuster_checks_total{result="pass"}` and `"fail"` |
//! | trend | `doorbuster_http_req_duration_seconds`, a classic histogram |
//!
//! Tags are labels, and so are `run` and `phase`: every phase counts from 0.

use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Output, Tick};
use crate::metrics::{Aggregate, Kind, LoadState, SeriesKey, TrendTotal, Unit, builtin};

/// Upper edges of the buckets, in microseconds: from what a healthy loopback needs to k6's default timeout.
const BUCKETS_US: [u64; 18] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000, 300_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
/// Scrapes at the same time; others wait.
const CONNECTIONS: usize = 4;
/// For one connection, so that nobody keeps a place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// A scrape's head is a few hundred bytes.
const LONGEST_HEAD: usize = 8192;
const MOST_HEADERS: usize = 64;
/// Labels that are ours; a tag of that name gets a `tag_` in front.
const RESERVED: [&str; 4] = ["run", "phase", "result", "le"];

/// What is shown at present.
#[derive(Default)]
struct Shown {
    run: String,
    phase: String,
    load: Arc<LoadState>,
}

struct Port {
    shown: Arc<Mutex<Shown>>,
    /// Dropped, it closes the port.
    _server: DropGuard,
}

pub(super) fn open(target: &str) -> io::Result<Box<dyn Output>> {
    // `:9090` and `9090` mean this machine and nobody else.
    let address = match target.strip_prefix(':').unwrap_or(target) {
        port if port.parse::<u16>().is_ok() => format!("127.0.0.1:{port}"),
        _ => target.to_owned(),
    };
    let listener = TcpListener::bind(&address)?;
    listener.set_nonblocking(true)?;
    let shown = Arc::<Mutex<Shown>>::default();
    let closed = CancellationToken::new();
    let (state, close) = (Arc::clone(&shown), closed.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = move || {
        runtime.block_on(async {
            tokio::select! {
                () = close.cancelled() => {}
                result = serve(listener, state) => if let Err(error) = result {
                    tracing::error!(%error, "the port for Prometheus is closed");
                },
            }
        });
    };
    std::thread::Builder::new().name("prometheus".into()).spawn(serve)?;
    Ok(Box::new(Port { shown, _server: closed.drop_guard() }))
}

impl Output for Port {
    fn write(&mut self, tick: &Tick<'_>) -> io::Result<()> {
        let now = Shown {
            run: tick.run.to_owned(),
            phase: tick.phase.to_owned(),
            load: Arc::clone(tick.now),
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }
}

async fn serve(listener: TcpListener, shown: Arc<Mutex<Shown>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor left, most likely: the load needs them more.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shown = Arc::clone(&shown);
        tokio::spawn(async move {
            // Whoever hangs up or is slow is left alone.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, converse(stream, &shown)).await;
            drop(place);
        });
    }
}

/// One request, one answer.
async fn converse(mut stream: TcpStream, shown: &Mutex<Shown>) -> io::Result<()> {
    let mut head = Vec::new();
    let answer = loop {
        if let Some(answer) = answer(&head, shown) {
            break answer;
        }
        if head.len() >= LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// `None` while the request's head is not whole.
fn answer(head: &[u8], shown: &Mutex<Shown>) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(head);
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (status, body) = match (parsed, request.method.unwrap_or_default(), path) {
        (Err(_), ..) => ("400 Bad Request", "no HTTP\n".to_owned()),
        (Ok(httparse::Status::Partial), ..) => return None,
        (_, "GET", "/metrics") => {
            let (run, phase, load) = {
                let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                (shown.run.clone(), shown.phase.clone(), Arc::clone(&shown.load))
            };
            ("200 OK", render(&run, &phase, &load))
        }
        (_, _, "/metrics") => ("405 Method Not Allowed", "only GET\n".to_owned()),
        _ => ("404 Not Found", "the metrics are at /metrics\n".to_owned()),
    };
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// The whole state in Prometheus' text format.
fn render(run: &str, phase: &str, load: &LoadState) -> String {
    let mut page = Page { out: String::new(), run, phase, metric: String::new() };
    for (key, aggregate) in load.sums() {
        match &**aggregate {
            Aggregate::Counter(count) => {
                let name = page.family(key, Kind::Counter);
                page.sample(&name, key, "", *count);
            }
            Aggregate::Rate(rate) => {
                let name = page.family(key, Kind::Rate);
                page.sample(&name, key, ",result=\"pass\"", rate.passes);
                page.sample(&name, key, ",result=\"fail\"", rate.total - rate.passes);
            }
            Aggregate::Trend(trend) => {
                let name = page.family(key, Kind::Trend);
                page.histogram(&name, key, trend);
            }
            Aggregate::Gauge(_) => {}
        }
    }
    for (key, value) in load.gauges() {
        let name = page.family(key, Kind::Gauge);
        page.sample(&name, key, "", value);
    }
    page.out
}

struct Page<'a> {
    out: String,
    run: &'a str,
    phase: &'a str,
    /// The family whose head has been written.
    metric: String,
}

impl Page<'_> {
    /// The name of a metric's family, whose head is written before its first series.
    fn family(&mut self, key: &SeriesKey, kind: Kind) -> String {
        let metric = builtin::find(&key.metric);
        let unit = match metric.map(|metric| metric.unit) {
            Some(Unit::Bytes) => "_bytes",
            Some(Unit::Milliseconds) => "_seconds",
            _ => "",
        };
        let (total, kind) = match kind {
            Kind::Counter | Kind::Rate => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
            Kind::Trend => ("", "histogram"),
        };
        let name = format!("doorbuster_{}{unit}{total}", plain(&key.metric));
        if self.metric != name {
            let help = metric.map_or("", |metric| metric.help);
            let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            self.metric.clone_from(&name);
        }
        name
    }

    fn sample(&mut self, name: &str, key: &SeriesKey, more: &str, value: impl std::fmt::Display) {
        let labels = self.labels(key);
        let _ = writeln!(self.out, "{name}{{{labels}{more}}} {value}");
    }

    fn histogram(&mut self, name: &str, key: &SeriesKey, trend: &TrendTotal) {
        let (bucket, count) = (format!("{name}_bucket"), trend.count());
        for edge in BUCKETS_US {
            let below = if trend.is_empty() { 0 } else { trend.histogram().count_between(0, edge) };
            let le = seconds(Duration::from_micros(edge).as_secs_f64());
            self.sample(&bucket, key, &format!(",le=\"{le}\""), below);
        }
        self.sample(&bucket, key, ",le=\"+Inf\"", count);
        self.sample(&format!("{name}_sum"), key, "", seconds(trend.sum_ms() / 1000.0));
        self.sample(&format!("{name}_count"), key, "", count);
    }

    fn labels(&self, key: &SeriesKey) -> String {
        let mut labels = format!("run=\"{}\",phase=\"{}\"", escaped(self.run), escaped(self.phase));
        for (tag, value) in &*key.tags {
            let reserved = if RESERVED.contains(&tag.as_str()) { "tag_" } else { "" };
            let _ = write!(labels, ",{reserved}{}=\"{}\"", plain(tag), escaped(value));
        }
        labels
    }
}

/// Six decimals, without what is not needed.
fn seconds(seconds: f64) -> String {
    let text = format!("{seconds:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name that Prometheus takes.
fn plain(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().map(legal).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn the_state_is_shown_in_prometheus_words() {
        let registry = Registry::new();
        let tags = [("name", "a\"b"), ("le", "x"), ("my-tag", "1")];
        registry.add(registry.counter("http_reqs", &tags), 3);
        registry.add(registry.counter("data_sent", &[]), 99);
        registry.record(registry.rate("checks", &[]), true);
        registry.record(registry.rate("checks", &[]), false);
        registry.set(registry.gauge("vus", &[]), 2.5);
        let times = registry.trend("http_req_duration", &[]);
        for millis in [1, 3, 30, 400, 70_000] {
            registry.observe(times, Duration::from_millis(millis));
        }
        let mut load = LoadState::new();
        load.merge(0, &registry.snapshot(Duration::from_secs(1))).unwrap();
        insta::assert_snapshot!(render("sale", "shop", &load));
    }
}
