//! Whether a service lives (`GET /health`), whether it does its work (`GET /ready`), and the gate that
//! other routes ask.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use contract::http as report;
use utoipa::OpenApi;

use crate::kit::clock::Clock;
use crate::kit::http::{ApiError, Reply};
use crate::kit::metrics::{DATABASE_CONNECTED, KAFKA_CONNECTED, SERVICE_READY};

/// When a client that came too early should come again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// What a service knows of its own state. Shared by all its parts.
#[derive(Debug)]
pub(crate) struct Health {
    service: &'static str,
    clock: Clock,
    /// Whether this service uses Kafka at all: the gateway does not.
    uses_kafka: bool,
    ready: AtomicBool,
    stopping: AtomicBool,
    kafka_connected: AtomicBool,
    /// Whether this process was given a database.
    uses_database: AtomicBool,
    database_connected: AtomicBool,
    /// Records behind the log, while that is more than the limit; else 0.
    lag: AtomicU64,
    more: OnceLock<More>,
}

/// What a service adds to the report.
struct More(Box<dyn Fn(&mut report::Health) + Send + Sync>);

impl std::fmt::Debug for More {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("More")
    }
}

impl Health {
    /// A service that is starting. `clock` was made when the process began.
    pub(crate) fn new(service: &'static str, clock: Clock) -> Arc<Self> {
        Arc::new(Self::starting(service, clock, true))
    }

    /// The same for a process that knows no Kafka.
    pub(crate) fn without_kafka(service: &'static str, clock: Clock) -> Arc<Self> {
        Arc::new(Self::starting(service, clock, false))
    }

    fn starting(service: &'static str, clock: Clock, uses_kafka: bool) -> Self {
        Self {
            service,
            clock,
            uses_kafka,
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            kafka_connected: AtomicBool::new(false),
            more: OnceLock::new(),
            lag: AtomicU64::new(0),
            uses_database: AtomicBool::new(false),
            database_connected: AtomicBool::new(false),
        }
    }

    /// The state is folded and the service is in its group: it answers from now on.
    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
        SERVICE_READY.set(1.0);
    }

    /// What this service has to say besides. The first to say so counts.
    pub(crate) fn add_to_report(&self, more: impl Fn(&mut report::Health) + Send + Sync + 'static) {
        self.more.get_or_init(|| More(Box::new(more)));
    }

    /// The shutdown has begun.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        SERVICE_READY.set(0.0);
    }

    pub(crate) fn set_kafka_connected(&self, connected: bool) {
        if self.kafka_connected.swap(connected, Ordering::AcqRel) != connected {
            KAFKA_CONNECTED.set(f64::from(u8::from(connected)));
        }
    }

    /// The service is so many records behind the log, which is more than it should be.
    pub(crate) fn set_lag(&self, records: Option<u64>) {
        self.lag.store(records.unwrap_or(0), Ordering::Relaxed);
    }

    /// From now on the service is ready only while it reaches its database.
    pub(crate) fn uses_database(&self) {
        self.uses_database.store(true, Ordering::Release);
    }

    pub(crate) fn set_database_connected(&self, connected: bool) {
        if self.database_connected.swap(connected, Ordering::AcqRel) != connected {
            DATABASE_CONNECTED.set(f64::from(u8::from(connected)));
        }
    }

    pub(crate) fn is_database_connected(&self) -> bool {
        self.database_connected.load(Ordering::Acquire)
    }

    fn misses_database(&self) -> bool {
        self.uses_database.load(Ordering::Acquire) && !self.is_database_connected()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.stopping.load(Ordering::Acquire)
    }

    /// For requests that are answered at once: those that came in before the door was closed are, also while
    /// the service is stopping.
    ///
    /// # Errors
    /// 503 with `Retry-After` while the service is starting.
    pub(crate) fn check_started(&self) -> Result<(), ApiError> {
        if self.ready.load(Ordering::Acquire) { Ok(()) } else { self.check_ready() }
    }

    /// # Errors
    /// 503 with `Retry-After` while the service is starting or stopping.
    pub(crate) fn check_ready(&self) -> Result<(), ApiError> {
        if self.is_ready() {
            return Ok(());
        }
        let (error, details) = match self.status() {
            "stopping" => ("the service is stopping", "another instance or a restart will answer"),
            _ => ("the service is starting", "it is reading its state from the log: try again"),
        };
        Err(ApiError::unavailable(error, details, RETRY_AFTER_SECONDS))
    }

    fn status(&self) -> &'static str {
        if self.stopping.load(Ordering::Acquire) {
            "stopping"
        } else if self.ready.load(Ordering::Acquire) {
            "ok"
        } else {
            "starting"
        }
    }

    fn report(&self) -> report::Health {
        let kafka = match (self.uses_kafka, self.kafka_connected.load(Ordering::Acquire)) {
            (false, _) => "unused",
            (true, true) => "connected",
            (true, false) => "disconnected",
        };
        let uses_database = self.uses_database.load(Ordering::Acquire);
        let database = uses_database.then_some(match self.is_database_connected() {
            true => "connected",
            false => "disconnected",
        });
        let mut report = report::Health {
            status: self.status().to_owned(),
            service: self.service.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.clock.monotonic().as_secs(),
            kafka: kafka.to_owned(),
            database: database.map(str::to_owned),
            lag: Some(self.lag.load(Ordering::Relaxed)).filter(|records| *records > 0),
            breaker: None,
            queue: None,
        };
        if let Some(More(add)) = self.more.get() {
            add(&mut report);
        }
        report
    }
}

/// What every door of every service serves, for `/openapi.json`.
#[derive(OpenApi)]
#[openapi(paths(live, ready))]
pub(crate) struct Api;

/// `GET /health`: 200 for as long as the process lives, so that nobody restarts a service that is
/// reading its state or waiting for Kafka. `GET /ready`: the same body, with 503 unless it does its work.
pub(crate) fn routes(health: Arc<Health>) -> Router {
    Router::new().route("/health", get(live)).route("/ready", get(ready)).with_state(health)
}

#[utoipa::path(
    get,
    path = "/health",
    tag = "Operations",
    operation_id = "health",
    summary = "Ask whether the process lives",
    responses(
        (status = 200, description = "It does; `status` tells what it is doing", body = report::Health),
    ),
)]
async fn live(State(health): State<Arc<Health>>) -> Reply<report::Health> {
    Reply::Ok(health.report())
}

#[utoipa::path(
    get,
    path = "/ready",
    tag = "Operations",
    summary = "Ask whether the service does its work",
    responses(
        (status = 200, description = "It does", body = report::Health),
        (status = 503, description = "It is starting or stopping, or does not reach its database", body = report::Health),
    ),
)]
async fn ready(State(health): State<Arc<Health>>) -> Reply<report::Health> {
    let report = health.report();
    let is_ready = health.is_ready() && !health.misses_database();
    if is_ready { Reply::Ok(report) } else { Reply::Unavailable(report) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_between_its_start_and_its_end() {
        let health = Health::new("order", Clock::system());
        assert!(health.check_ready().is_err());
        assert_eq!(health.report().status, "starting");
        health.set_ready();
        assert!(health.check_ready().is_ok());
        assert_eq!(health.report().status, "ok");
        health.set_stopping();
        assert!(health.check_ready().is_err());
        assert!(health.check_started().is_ok(), "who came in time is served");
        assert_eq!(health.report().status, "stopping");
    }

    #[test]
    fn a_database_counts_once_there_is_one() {
        let health = Health::new("status", Clock::system());
        assert_eq!((health.report().database, health.misses_database()), (None, false));
        health.uses_database();
        assert_eq!(health.report().database.as_deref(), Some("disconnected"));
        assert!(health.misses_database());
        health.set_database_connected(true);
        assert_eq!(health.report().database.as_deref(), Some("connected"));
        assert!(!health.misses_database());
    }

    #[test]
    fn kafka_is_told_apart() {
        let health = Health::new("status", Clock::system());
        assert_eq!(health.report().kafka, "disconnected");
        health.set_kafka_connected(true);
        assert_eq!(health.report().kafka, "connected");
        let gateway = Health::without_kafka("gateway", Clock::system());
        assert_eq!(gateway.report().kafka, "unused");
    }
}
