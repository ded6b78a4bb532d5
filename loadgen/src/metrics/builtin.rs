//! The register of every built-in metric. Thresholds and the scenario checker look names up here,
//! and the reports take units from here.

use std::fmt;

/// What a metric's samples mean, and which aggregations a threshold may ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A sum that only grows: `count`, `rate` (per second).
    Counter,
    /// The present value: `value`, `min`, `max`.
    Gauge,
    /// The share of samples that were true: `rate` (0 to 1).
    Rate,
    /// A distribution of times: `avg`, `min`, `med`, `max`, `p(N)`, `count`.
    Trend,
}

impl Kind {
    /// k6's word for it: `counter`, `gauge`, `rate` or `trend`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Trend => "trend",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What one unit of a metric's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain number of things.
    Count,
    Bytes,
    /// Thresholds and reports use milliseconds, as k6 does; recording takes a `Duration`.
    Milliseconds,
    /// A share between 0 and 1.
    Share,
}

/// One built-in metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub help: &'static str,
}

/// Declares the names and the register together, so that neither can lack an entry.
macro_rules! register {
    ($($constant:ident = $name:literal, $kind:ident, $unit:ident, $help:literal;)*) => {
        /// The names of the built-in metrics, so that a misspelt one does not compile.
        pub mod names {
            $(#[doc = $help] pub const $constant: &str = $name;)*
        }

        /// Every built-in metric, in the order in which reports show them.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, unit: Unit::$unit, help: $help },)*
        ];
    };
}

register! {
    CHECKS = "checks", Rate, Share, "Checks that held; tag `check` names the check.";
    HTTP_REQ_DURATION = "http_req_duration", Trend, Milliseconds,
        "Response time: from intended start in open models for an iteration's first request, connecting included.";
    HTTP_REQ_SERVICE_TIME = "http_req_service_time", Trend, Milliseconds,
        "From the actual send to the end of the response.";
    HTTP_REQ_CONNECTING = "http_req_connecting", Trend, Milliseconds, "Opening the TCP connection.";
    HTTP_REQ_SENDING = "http_req_sending", Trend, Milliseconds, "Handing the request to the system.";
    HTTP_REQ_WAITING = "http_req_waiting", Trend, Milliseconds,
        "From the sent request to the first byte of the response.";
    HTTP_REQ_RECEIVING = "http_req_receiving", Trend, Milliseconds,
        "From the first byte of the response to its last.";
    HTTP_REQ_FAILED = "http_req_failed", Rate, Share,
        "Requests that failed: no response, or a status that the flow did not expect.";
    HTTP_REQS = "http_reqs", Counter, Count, "HTTP requests.";
    FAILOVERS = "failovers", Counter, Count,
        "Requests and sockets that went on to another instance of their service: the one before refused the \
         connection or answered 503.";
    SEND_LAG = "send_lag", Trend, Milliseconds,
        "How late the generator itself started an arrival: actual start minus intended start.";
    ORDERS_CREATED = "orders_created", Counter, Count, "Orders that the shop accepted.";
    ORDERS_UNKNOWN = "orders_unknown", Counter, Count,
        "Orders whose request never got an answer: created once or not at all.";
    ORDER_SHIPPED = "order_shipped", Trend, Milliseconds,
        "From intended start to the socket frame that says `shipped`.";
    ORDER_ENDED = "order_ended", Trend, Milliseconds,
        "From intended start to the socket frame with which the order has ended.";
    PIPELINE_INVENTORY = "pipeline_inventory", Trend, Milliseconds,
        "From created to the inventory's decision, by the events' timestamps.";
    PIPELINE_PAYMENT = "pipeline_payment", Trend, Milliseconds,
        "From the inventory's decision to the payment's, by the events' timestamps.";
    PIPELINE_SHIPPING = "pipeline_shipping", Trend, Milliseconds,
        "From the payment to shipped, by the events' timestamps.";
    PIPELINE_NOTIFICATION = "pipeline_notification", Trend, Milliseconds,
        "From the payment (or the failure) to the notification, by the events' timestamps.";
    STATUS_NOT_YET = "status_not_yet", Counter, Count,
        "Status reads that came before the order's first event reached the status service.";
    AVAILABILITY = "availability", Rate, Share,
        "Operations that succeeded within the time a client is willing to retry.";
    WS_CONNECTING = "ws_connecting", Trend, Milliseconds, "Connecting and upgrading a WebSocket.";
    WS_SESSIONS = "ws_sessions", Counter, Count, "WebSocket sessions started.";
    WS_SESSION_DURATION = "ws_session_duration", Trend, Milliseconds, "How long a session lasted.";
    WS_OPEN = "ws_open", Gauge, Count, "WebSockets open at present.";
    WS_MSGS_RECEIVED = "ws_msgs_received", Counter, Count, "WebSocket messages received.";
    WS_MSGS_SENT = "ws_msgs_sent", Counter, Count, "WebSocket messages sent.";
    WS_EXPECT_DURATION = "ws_expect_duration", Trend, Milliseconds,
        "From the step before to the message that was expected; tag `name` names the step.";
    WS_ERRORS = "ws_errors", Counter, Count,
        "WebSockets refused, broken, or closed before their time; tag `error` says how.";
    KAFKA_MESSAGES_SENT = "kafka_messages_sent", Counter, Count, "Records acknowledged by the broker.";
    KAFKA_MESSAGES_RECEIVED = "kafka_messages_received", Counter, Count, "Records consumed.";
    KAFKA_MESSAGES_LOST = "kafka_messages_lost", Counter, Count,
        "Records acknowledged and never consumed.";
    KAFKA_MESSAGES_DUPLICATED = "kafka_messages_duplicated", Counter, Count,
        "Records consumed more than once.";
    KAFKA_LATENCY = "kafka_latency", Trend, Milliseconds, "From intended produce to consume.";
    KAFKA_ERRORS = "kafka_errors", Counter, Count, "Produce and fetch calls that failed.";
    GROUP_DURATION = "group_duration", Trend, Milliseconds,
        "All steps of a group, pauses between them included; tag `group` names the group.";
    ITERATIONS = "iterations", Counter, Count, "Iterations that ended.";
    ITERATION_DURATION = "iteration_duration", Trend, Milliseconds, "A whole iteration.";
    DROPPED_ITERATIONS = "dropped_iterations", Counter, Count,
        "Iterations that never started for want of a free virtual user.";
    VUS = "vus", Gauge, Count, "Virtual users busy at present.";
    VUS_MAX = "vus_max", Gauge, Count, "Virtual users allocated.";
    DATA_SENT = "data_sent", Counter, Bytes, "Bytes sent.";
    DATA_RECEIVED = "data_received", Counter, Bytes, "Bytes received.";
}

/// Looks a built-in metric up by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// Where a metric stands in the reports' order; metrics that are not built in come last.
#[must_use]
pub fn position(name: &str) -> usize {
    METRICS.iter().position(|metric| metric.name == name).unwrap_or(METRICS.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_registered_once() {
        let unique: HashSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(unique.len(), METRICS.len());
        assert_eq!(find(names::SEND_LAG).map(|metric| metric.kind), Some(Kind::Trend));
        assert_eq!(find("http_req_durations"), None);
        assert!(position(names::CHECKS) < position(names::VUS));
        assert_eq!(position("my_own"), METRICS.len());
    }
}
