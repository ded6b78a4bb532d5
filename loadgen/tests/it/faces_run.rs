//! A made-up run, the same for every test and for the `dashboard` example: a thousand orders a
//! second, watched live, with a payment service killed half-way.

use std::sync::Arc;
use std::time::Duration;

use loadgen::metrics::{LoadState, Registry, TrendId};
use loadgen::report::{ProcessUsage, Validity};
use loadgen::threshold::{Threshold, evaluate_all};
use loadgen::tui::{Dashboard, RunInfo};

pub(crate) const TOTAL_S: u64 = 60;
/// The second in which the payment service is killed, and for how long it shows.
const KILL_S: u64 = 32;
const OUTAGE_S: u64 = 2;

/// Plays a run second by second.
pub(crate) struct Run {
    registry: Registry,
    pub(crate) load: LoadState,
    second: u64,
    random: u64,
    sockets: f64,
    /// Records what only the dashboard's pages show, too.
    detailed: bool,
}

impl Run {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        for counter in ["dropped_iterations", "orders_unknown", "ws_errors"] {
            let _ = registry.counter(counter, &[]);
        }
        Self {
            registry,
            load: LoadState::new(),
            second: 0,
            random: 42,
            sockets: 0.0,
            detailed: false,
        }
    }

    /// The run after so many seconds.
    pub(crate) fn at(seconds: u64) -> Self {
        let mut run = Self::new();
        for _ in 0..seconds {
            run.step();
        }
        run
    }

    /// From now on it records what only the dashboard's pages show, too.
    pub(crate) fn detailed(self) -> Self {
        Self { detailed: true, ..self }
    }

    /// One more second.
    pub(crate) fn step(&mut self) {
        let outage = (KILL_S..KILL_S + OUTAGE_S).contains(&self.second);
        let orders = 985 + self.next() % 30;
        self.orders(orders, outage);
        self.reads();
        self.sockets = (self.sockets + 1000.0).min(10_000.0 + f64::from(self.next() as u8));
        self.registry.set(self.registry.gauge("ws_open", &[]), self.sockets);
        self.registry.set(self.registry.gauge("vus", &[]), self.sockets + 20.0);
        if self.detailed {
            self.details(outage);
        }
        self.second += 1;
        let snapshot = self.registry.snapshot(Duration::from_secs(self.second));
        self.load.merge(0, &snapshot).expect("a sound snapshot");
    }

    fn orders(&mut self, orders: u64, outage: bool) {
        let registry = self.registry.clone();
        let tags = [("name", "order"), ("method", "POST"), ("status", "201")];
        let created = registry.trend("http_req_duration", &tags);
        let lag = registry.trend("send_lag", &[]);
        let stages = ["inventory", "payment", "shipping", "notification"]
            .map(|stage| registry.trend(&format!("pipeline_{stage}"), &[]));
        let shipped = registry.trend("order_shipped", &[]);
        let check = registry.rate("checks", &[("check", "status is 201")]);
        for _ in 0..orders {
            let response = self.time(1800, outage.then_some(6));
            registry.observe(created, response);
            self.sample(lag, 90);
            self.sample(stages[0], 2400);
            let payment = self.time(21_000, outage.then_some(14));
            registry.observe(stages[1], payment);
            self.sample(stages[2], 2900);
            self.sample(stages[3], 2600);
            registry.observe(shipped, payment + response * 4);
            registry.record(check, true);
        }
        registry.add(registry.counter("http_reqs", &tags), orders);
        registry.add(registry.counter("orders_created", &[]), orders);
        registry.add(registry.counter("iterations", &[]), orders);
        registry.add(registry.counter("data_sent", &[]), orders * 412);
        registry.add(registry.counter("data_received", &[]), orders * 2380);
        if outage {
            let failed = [("name", "order"), ("status", "503"), ("expected_response", "false")];
            registry.add(registry.counter("http_reqs", &failed), 3);
            registry.add(registry.counter("ws_errors", &[("error", "reset")]), 2);
        }
    }

    fn reads(&mut self) {
        let registry = self.registry.clone();
        for (name, median_us) in [("status", 900), ("inventory", 420)] {
            let tags = [("name", name), ("method", "GET"), ("status", "200")];
            let trend = registry.trend("http_req_duration", &tags);
            let check = registry.rate("checks", &[("check", "body is complete")]);
            for _ in 0..200 {
                self.sample(trend, median_us);
                registry.record(check, true);
            }
            registry.add(registry.counter("http_reqs", &tags), 200);
        }
    }

    fn details(&mut self, outage: bool) {
        let registry = self.registry.clone();
        let new = if self.sockets < 10_000.0 { 1000 } else { 40 + self.next() % 20 };
        registry.add(registry.counter("ws_sessions", &[]), new);
        registry.add(registry.counter("ws_msgs_received", &[]), new * 5);
        let _ = registry.counter("ws_msgs_sent", &[]);
        for error in ["refused", "broken"] {
            let _ = registry.counter("ws_errors", &[("error", error)]);
        }
        let connecting = registry.trend("ws_connecting", &[]);
        let lasted = registry.trend("ws_session_duration", &[]);
        let ended = registry.trend("order_ended", &[]);
        for _ in 0..new {
            self.sample(connecting, 700);
            self.sample(lasted, 10_600_000);
            self.sample(ended, if outage { 400_000 } else { 40_000 });
        }
        registry.set(registry.gauge("vus_max", &[]), 13_000.0);
        for (name, count) in [("order", 1000), ("status", 200), ("inventory", 200)] {
            let failed = registry.rate("http_req_failed", &[("name", name)]);
            for request in 0..count {
                registry.record(failed, outage && name == "order" && request < 3);
            }
        }
    }

    fn sample(&mut self, trend: TrendId, median_us: u64) {
        let time = self.time(median_us, None);
        self.registry.observe(trend, time);
    }

    /// A time with a long tail around the median.
    fn time(&mut self, median_us: u64, slower: Option<u64>) -> Duration {
        let noise = self.next() % 1000;
        let factor = match noise {
            0..900 => 500 + noise,
            900..990 => 1400 + (noise - 900) * 30,
            _ => 4200 + (noise - 990) * 900,
        };
        Duration::from_micros(median_us * factor / 1000 * slower.unwrap_or(1))
    }

    /// Pseudo-random, the same each time.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random >> 33
    }

    /// What the terminal would be shown now.
    pub(crate) fn dashboard(&self) -> Dashboard {
        let elapsed = Duration::from_secs(self.second);
        let mut notices = vec!["0s  shop is up: 8 processes ready after 0.4 s".to_owned()];
        if self.second >= KILL_S {
            notices.push(format!("{KILL_S}s  killed payment (kill -9)"));
            notices.push(format!("{}s  payment is effective again after 1.2 s", KILL_S + 1));
        }
        Dashboard {
            run: RunInfo {
                scenario: "targets".into(),
                phase: "shop".into(),
                phase_index: 1,
                phases: 3,
                activity: if self.second < TOTAL_S { "load".into() } else { "audit".into() },
                elapsed,
                total: Duration::from_secs(TOTAL_S),
                descriptor_limit: 20_000,
                rate_metric: "orders_created".into(),
                target_rate: vec![(0.0, 1000.0), (60.0, 1000.0)],
                ..RunInfo::default()
            },
            load: Arc::new(self.load.clone()),
            thresholds: evaluate_all(&thresholds(), &self.load, elapsed),
            validity: validity(&self.load),
            processes: self.processes(),
            notices,
        }
    }

    pub(crate) fn processes(&self) -> Vec<ProcessUsage> {
        let usage = [
            ("broker", 31.0, 92_000_000, 60),
            ("order", 38.0, 41_000_000, 310),
            ("inventory", 12.0, 33_000_000, 25),
            ("payment", 17.0, 29_000_000, 140),
            ("notification", 6.0, 14_000_000, 21),
            ("shipping", 7.0, 15_000_000, 21),
            ("status", 27.0, 182_000_000, 10_063),
            ("gateway", 8.0, 11_000_000, 130),
            ("load", 36.0, 118_000_000, 10_420),
            ("doorbuster", 2.0, 19_000_000, 34),
        ];
        let one = |(name, percent, pss_bytes, fds): (&str, f64, u64, u64)| ProcessUsage {
            name: name.into(),
            pid: 4000 + fds as u32 % 100,
            cpu_percent: percent,
            cpu_seconds: percent / 100.0 * self.second as f64,
            pss_bytes,
            peak_pss_bytes: pss_bytes + 1_000_000,
            fds,
        };
        usage.into_iter().map(one).collect()
    }
}

pub(crate) fn validity(load: &LoadState) -> Validity {
    Validity {
        valid: true,
        send_lag_p99: load.trend("send_lag", &[]).percentile(99.0),
        limit: Duration::from_millis(10),
        reason: None,
    }
}

pub(crate) fn thresholds() -> Vec<Threshold> {
    [
        ("http_req_duration{name:order}", "p(95)<200"),
        ("http_req_duration{name:status}", "p(95)<100"),
        ("http_req_duration{name:inventory}", "p(95)<50"),
        ("order_shipped", "p(95)<60"),
        ("orders_created", "rate>=980"),
        ("ws_open", "max>=10000"),
        ("dropped_iterations", "count==0"),
        ("checks", "rate==1"),
        ("availability", "rate>=0.999"),
    ]
    .into_iter()
    .map(|(selector, expression)| Threshold::new(selector, expression).expect(selector))
    .collect()
}
