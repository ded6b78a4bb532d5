//! Every metric of the services, and their text for Prometheus.
//!
//! One table names them all. Labels have few values: routes, reasons, topics, never an order.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the latency histograms, in seconds: around the specification's limits (§8.1) and
/// up to the longest time that anything may take.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How often samples are gathered into buckets, so that they do not pile up while nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A label's name and value.
pub(crate) type Label = (&'static str, &'static str);

/// Only ever grows.
#[derive(Debug)]
pub(crate) struct Counter {
    name: &'static str,
}

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        metrics::counter!(self.name).increment(count);
    }

    pub(crate) fn add_to(&self, labels: &[Label], count: u64) {
        metrics::counter!(self.name, labels).increment(count);
    }

    /// For label values that are not known before the program runs. They must be few all the same.
    pub(crate) fn add_named(&self, labels: &[(&'static str, String)], count: u64) {
        metrics::counter!(self.name, labels).increment(count);
    }
}

/// Goes up and down.
#[derive(Debug)]
pub(crate) struct Gauge {
    name: &'static str,
}

impl Gauge {
    pub(crate) fn set(&self, value: f64) {
        metrics::gauge!(self.name).set(value);
    }

    pub(crate) fn add(&self, change: f64) {
        metrics::gauge!(self.name).increment(change);
    }

    /// One of its series, for values that change often. Label values must be few.
    pub(crate) fn series(&self, labels: &[(&'static str, String)]) -> metrics::Gauge {
        metrics::gauge!(self.name, labels)
    }
}

/// How long something takes.
#[derive(Debug)]
pub(crate) struct Histogram {
    name: &'static str,
}

impl Histogram {
    pub(crate) fn record_of(&self, labels: &[Label], took: Duration) {
        metrics::histogram!(self.name, labels).record(took.as_secs_f64());
    }

    /// As [`Counter::add_named`].
    pub(crate) fn record_named(&self, labels: &[(&'static str, String)], took: Duration) {
        metrics::histogram!(self.name, labels).record(took.as_secs_f64());
    }
}

macro_rules! kind {
    (Counter, $name:literal, $help:literal) => {
        metrics::describe_counter!($name, $help)
    };
    (Gauge, $name:literal, $help:literal) => {
        metrics::describe_gauge!($name, $help)
    };
    (Histogram, $name:literal, $help:literal) => {
        metrics::describe_histogram!($name, $help)
    };
}

/// The table: a static for each metric, and its help text.
macro_rules! table {
    ($($variable:ident: $kind:ident = $name:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(crate) static $variable: $kind = $kind { name: $name };
        )*

        fn describe() {
            $(kind!($kind, $name, $help);)*
        }

        #[cfg(test)]
        const NAMES: &[(&str, &str)] = &[$((stringify!($kind), $name)),*];
    };
}

table! {
    HTTP_REQUESTS: Counter = "http_requests_total", "Requests answered, by route, method and status.";
    HTTP_SECONDS: Histogram = "http_request_duration_seconds", "Time from a request's headers to its answer, by route.";
    HTTP_CONNECTIONS: Gauge = "http_connections", "HTTP connections open now.";
    HTTP_CONNECTIONS_REFUSED: Counter = "http_connections_refused_total", "Connections turned away since their client had too many.";
    RATE_LIMITED: Counter = "rate_limited_total", "Requests refused with 429 since their client had no token left, by what is limited.";
    SOCKETS_OPEN: Gauge = "sockets_open", "WebSockets open now.";
    SOCKETS_OPENED: Counter = "sockets_opened_total", "WebSockets opened.";
    SOCKETS_CLOSED: Counter = "sockets_closed_total", "WebSockets that ended, by reason.";
    SOCKETS_REFUSED: Counter = "sockets_refused_total", "WebSocket handshakes refused, by reason.";
    SOCKET_FRAMES: Counter = "socket_frames_sent_total", "WebSocket frames sent, by kind.";
    EVENTS_PUBLISHED: Counter = "events_published_total", "Events that the log has acknowledged, by topic.";
    PUBLISH_SECONDS: Histogram = "publish_duration_seconds", "Time that one append to the log takes, by topic.";
    PUBLISH_FAILURES: Counter = "publish_failures_total", "Appends to the log that failed and are tried again, by topic.";
    EVENTS_READ: Counter = "events_read_total", "Events read from the log, by topic.";
    STAGE_SECONDS: Histogram = "pipeline_stage_duration_seconds", "Time from an event's timestamp to its being taken in here, by topic.";
    APPENDS_HELD_BACK: Counter = "appends_held_back_total", "Appends that were not begun because the group's coordinator had not confirmed this member for too long.";
    GROUP_CHANGES: Counter = "group_changes_total", "Changes of this member's partitions, by kind: assigned, revoked (a rebalance), lost (fallen out of the group).";
    GROUP_PARTITIONS: Gauge = "group_partitions", "Input partitions that this member of its group works on.";
    CONSUMER_LAG: Gauge = "consumer_lag_records", "Records that stand in a partition and are not done with here, by consumer, topic and partition.";
    DEAD_LETTERS: Counter = "dead_letters_total", "Records that nobody can read, by topic.";
    TRACE_SPANS_SENT: Counter = "trace_spans_sent_total", "Spans that the collector has taken.";
    TRACE_SPANS_DROPPED: Counter = "trace_spans_dropped_total", "Spans that never reached a collector.";
    UNKNOWN_TYPES: Counter = "unknown_event_types_total", "Records of an event type that this version does not know, by topic.";
    ORDERS_OPEN: Gauge = "orders_open", "Orders that have not ended.";
    ORDERS_ENDED_IN_MEMORY: Gauge = "orders_ended_in_memory", "Ended orders that have not left memory yet.";
    ORDERS_RETIRED: Counter = "orders_retired_total", "Ended orders that have left memory.";
    RETIRE_FAILURES: Counter = "orders_retire_failures_total", "Times that ended orders could not be written to leave memory.";
    ORDERS_STUCK: Gauge = "orders_stuck", "Orders that have not ended in the time that the specification gives them.";
    ORDERS_GOT_STUCK: Counter = "orders_got_stuck_total", "Orders that did not end in time, those that ended later among them.";
    PAYMENT_ATTEMPTS: Counter = "payment_attempts_total", "Requests to the payment gateway, by what was asked and what came of it.";
    PAYMENTS_UNKNOWN: Counter = "payments_unknown_total", "Payments parked since their outcome stayed unknown.";
    PAYMENTS_PARKED: Gauge = "payments_parked", "Payments whose outcome is unknown now.";
    PAYMENTS_RESOLVED: Counter = "payments_resolved_total", "Parked payments that were settled, by whom and how.";
    SNAPSHOTS_WRITTEN: Counter = "snapshots_written_total", "Snapshots of the service's state written.";
    SNAPSHOT_FAILURES: Counter = "snapshot_failures_total", "Snapshots that could not be written.";
    SNAPSHOT_SECONDS: Histogram = "snapshot_duration_seconds", "Time that writing one snapshot takes, beside the service's work.";
    SNAPSHOT_ORDERS: Gauge = "snapshot_orders", "Orders in the snapshots that were written last.";
    SNAPSHOTS_REFUSED: Counter = "snapshots_refused_total", "Snapshots that could not be used at a start.";
    SNAPSHOT_ORDERS_RESTORED: Gauge = "snapshot_orders_restored", "Orders that the last start took from snapshots.";
    BREAKER_STATE: Gauge = "circuit_breaker_state", "0 while calls are made, 1 while one at a time finds out, 2 while none is made.";
    BREAKER_TRANSITIONS: Counter = "circuit_breaker_transitions_total", "Changes of the circuit breaker's state, by from and to.";
    ORDERS_QUEUED: Counter = "orders_queued_total", "Orders that were put into the local queue because Kafka did not take them.";
    ORDERS_DRAINED: Counter = "orders_drained_total", "Orders of the local queue that Kafka has taken since.";
    ORDERS_REFUSED: Counter = "orders_refused_total", "Orders that not even the local queue could take, by reason.";
    QUEUE_ORDERS: Gauge = "order_queue_orders", "Orders in the local queue.";
    QUEUE_BYTES: Gauge = "order_queue_bytes", "Bytes that the local queue takes on disk.";
    QUEUE_AGE: Gauge = "order_queue_oldest_age", "Age of the oldest order in the local queue, in seconds.";
    QUEUE_COMMIT_SECONDS: Histogram = "order_queue_commit_seconds", "Time that writing and syncing what gathered for the local queue takes.";
    QUEUE_DAMAGE: Counter = "order_queue_damage_total", "Places in the local queue's files that could not be read.";
    REPLAYS: Counter = "replays_total", "Replays that have ended, by trigger and outcome.";
    REPLAY_EVENTS: Counter = "replay_events_total", "Events that replays have read.";
    REPLAY_PROGRESS: Gauge = "replay_progress", "Share of the replay under way that is done, 0 to 1.";
    REPLAY_RATE: Gauge = "replay_events_per_second", "Rate of the replay under way.";
    REPLAY_DIFFERENCES: Gauge = "replay_differences", "Orders in which the last replay found another state than the live one.";
    STATE_CONSISTENT: Gauge = "state_consistent", "1 when the last replay found the state as the log says, or mended it; 0 when not.";
    SERVICE_READY: Gauge = "service_ready", "1 while the service does its work.";
    PROJECTION_SET_ASIDE: Counter = "projection_set_aside_total", "Events that the tables cannot hold, by topic.";
    DATABASE_CONNECTED: Gauge = "database_connected", "1 while the service reaches its database.";
    DATABASE_CONNECTIONS: Gauge = "database_connections", "Connections in the pool.";
    DATABASE_CONNECTIONS_IN_USE: Gauge = "database_connections_in_use", "Connections of the pool that work.";
    DATABASE_WAIT_SECONDS: Histogram = "database_wait_duration_seconds", "Time that work waits for a connection.";
    DATABASE_TRANSACTION_SECONDS: Histogram = "database_transaction_duration_seconds", "Time that work takes on its connection, by work.";
    DATABASE_ERRORS: Counter = "database_errors_total", "Work that was not done, by kind: unavailable, conflict, refused.";
    KAFKA_CONNECTED: Gauge = "kafka_connected", "1 while the service reaches Kafka.";
}

/// What is known of all metrics, as Prometheus reads it.
#[derive(Clone)]
pub(crate) struct Scrape(PrometheusHandle);

impl Scrape {
    /// Makes this process record its metrics from now on.
    ///
    /// # Errors
    /// When it does so already.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .context("the buckets of the metrics")?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("metrics are recorded already")?;
        describe();
        Ok(Self(handle))
    }

    /// Prometheus' text format, version 0.0.4.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps what was recorded small, for as long as the process lives.
    pub(crate) async fn upkeep(self) {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let names: HashSet<_> = NAMES.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), NAMES.len());
        for (kind, name) in NAMES {
            assert_eq!(*kind == "Counter", name.ends_with("_total"), "{name}");
            assert_eq!(*kind == "Histogram", name.ends_with("_seconds"), "{name}");
        }
    }
}
