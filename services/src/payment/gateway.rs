//! The payment gateway over HTTP, on connections that stay open.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use contract::http::{Charge, ChargeOutcome, ChargeRequest, IDEMPOTENCY_KEY};
use contract::ids::OrderId;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::charge::{Asked, Attempts, Next, Outcome, Settled};
use super::domain::Due;
use super::parked::Tried;
use crate::kit::clock::Clock;
use crate::kit::metrics::PAYMENT_ATTEMPTS;
use crate::kit::trace::{Kind, Span, TRACEPARENT, TraceContext};

const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Connections kept open while they are idle, and for how long.
const MAX_IDLE: usize = 256;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewaySettings {
    /// For one answer.
    pub(crate) patience: Duration,
    /// For charging, with all its attempts.
    pub(crate) budget: Duration,
}

/// A client of the gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    client: Client<HttpConnector, Full<Bytes>>,
    charges: String,
    settings: GatewaySettings,
    clock: Clock,
}

/// What came of charging an order.
#[derive(Debug)]
pub(crate) enum Charged {
    Settled(Settled),
    /// The budget is spent, and whether the order was charged is unknown.
    Unknown(Tried),
}

impl Gateway {
    /// A client of the gateway at `url`, like `http://127.0.0.1:8086`.
    ///
    /// # Errors
    /// When that is no URL.
    pub(crate) fn new(url: &str, settings: GatewaySettings, clock: Clock) -> anyhow::Result<Self> {
        let charges = format!("{}/charges", url.trim_end_matches('/'));
        let parsed: Uri = charges.parse().with_context(|| format!("{url:?} is no gateway URL"))?;
        anyhow::ensure!(
            parsed.scheme_str() == Some("http") && parsed.host().is_some(),
            "{url:?} is no gateway URL: it begins with http:// and a host"
        );
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(MAX_IDLE)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { client, charges, settings, clock })
    }

    /// Charges an order, taken on at `began`, once, however many attempts that takes.
    pub(crate) async fn settle(&self, due: &Due, began: Duration) -> Charged {
        let elapsed = || self.clock.monotonic().saturating_sub(began);
        let mut attempts = Attempts::within(self.settings.budget);
        let mut tried = Tried::NEVER;
        let mut next = Next::Charge(Duration::ZERO);
        loop {
            let (asked, pause) = match next {
                Next::Settle(settled) => return Charged::Settled(settled),
                Next::Park => return Charged::Unknown(tried),
                Next::Charge(pause) => (Asked::Charge, pause),
                Next::Query(pause) => (Asked::Query, pause),
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let (asked, outcome) = match asked {
                Asked::Charge if attempts.may_charge(elapsed()) => {
                    (Asked::Charge, self.charge(due).await)
                }
                _ => (Asked::Query, self.query(due.order_id, due.trace).await),
            };
            tried.again(&outcome);
            next = attempts.after(asked, outcome, elapsed());
        }
    }

    async fn charge(&self, due: &Due) -> Outcome {
        let (order_id, amount) = (due.order_id, due.amount());
        let body = serde_json::to_vec(&ChargeRequest { order_id, amount });
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.charges)
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, order_id.to_string())
            .body(Full::from(body.unwrap_or_default()));
        self.ask(Asked::Charge, order_id, due.trace, request).await
    }

    /// Asks whether an order was charged. Changes nothing.
    pub(crate) async fn query(&self, order_id: OrderId, trace: Option<TraceContext>) -> Outcome {
        let uri = format!("{}/{order_id}", self.charges);
        let request = Request::builder().method(Method::GET).uri(uri).body(Full::default());
        self.ask(Asked::Query, order_id, trace, request).await
    }

    /// One request, counted, and told to the gateway as a part of the order's trace.
    async fn ask(
        &self,
        asked: Asked,
        order_id: OrderId,
        trace: Option<TraceContext>,
        request: Result<Request<Full<Bytes>>, hyper::http::Error>,
    ) -> Outcome {
        let mut span = Span::under(trace, Kind::Client, self.clock.now());
        let outcome = match request {
            Ok(request) => self.exchange(traced(request, &span)).await,
            Err(_) => Outcome::NeverSent,
        };
        PAYMENT_ATTEMPTS.add_to(&[("asked", asked.name()), ("outcome", outcome.name())], 1);
        if span.is_recording() {
            span.attribute("order.id", order_id);
            span.attribute("outcome", outcome.name());
            // A card that is declined is the gateway's work done, whatever HTTP calls it.
            let failed = matches!(outcome, Outcome::Failed | Outcome::Unknown | Outcome::NeverSent);
            span.end(route(asked), self.clock.now(), failed);
        }
        outcome
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Outcome {
        let answer = tokio::time::timeout(self.settings.patience, async {
            let response = match self.client.request(request).await {
                Ok(response) => response,
                Err(error) if error.is_connect() => return Outcome::NeverSent,
                Err(_) => return Outcome::Unknown,
            };
            let status = response.status();
            match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
                Ok(body) => read(status, &body.to_bytes()),
                Err(_) => Outcome::Unknown,
            }
        });
        answer.await.unwrap_or(Outcome::Unknown)
    }
}

fn traced(mut request: Request<Full<Bytes>>, span: &Span) -> Request<Full<Bytes>> {
    let header = span.context().map(|context| HeaderValue::try_from(context.to_string()));
    if let Some(Ok(header)) = header {
        request.headers_mut().insert(TRACEPARENT, header);
    }
    request
}

/// As the gateway names it: a span's name must not tell orders apart.
const fn route(asked: Asked) -> &'static str {
    match asked {
        Asked::Charge => "POST /charges",
        Asked::Query => "GET /charges/{order_id}",
    }
}

/// What an answer of the gateway means.
fn read(status: StatusCode, body: &[u8]) -> Outcome {
    match status {
        StatusCode::NOT_FOUND => Outcome::NotFound,
        StatusCode::OK | StatusCode::PAYMENT_REQUIRED => match serde_json::from_slice(body) {
            Ok(Charge { outcome: ChargeOutcome::Captured, .. }) => Outcome::Captured,
            Ok(Charge { outcome: ChargeOutcome::Declined, reason, .. }) => {
                Outcome::Declined(reason.unwrap_or_else(|| "declined".to_owned()))
            }
            Err(_) => Outcome::Unknown,
        },
        _ => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use contract::money::Cents;

    use super::*;

    #[test]
    fn answers_are_read_by_their_body_not_only_by_their_status() {
        let charge = |outcome| {
            serde_json::to_vec(&Charge {
                order_id: OrderId::for_idempotency_key("charge"),
                amount: Cents(100),
                outcome,
                reason: None,
                attempts: 1,
                captures: 0,
            })
            .unwrap()
        };
        assert_eq!(read(StatusCode::OK, &charge(ChargeOutcome::Captured)), Outcome::Captured);
        let declined = Outcome::Declined("declined".into());
        assert_eq!(read(StatusCode::OK, &charge(ChargeOutcome::Declined)), declined);
        assert_eq!(read(StatusCode::PAYMENT_REQUIRED, &charge(ChargeOutcome::Declined)), declined);
        assert_eq!(read(StatusCode::OK, b"<html>"), Outcome::Unknown);
        assert_eq!(read(StatusCode::NOT_FOUND, b""), Outcome::NotFound);
        assert_eq!(read(StatusCode::SERVICE_UNAVAILABLE, b""), Outcome::Failed);
    }

    const SETTINGS: GatewaySettings =
        GatewaySettings { patience: Duration::from_secs(2), budget: Duration::from_secs(10) };

    #[test]
    fn a_gateway_has_a_plain_http_url() {
        for url in ["", "gateway", "https://gateway.example", "http://"] {
            assert!(Gateway::new(url, SETTINGS, Clock::system()).is_err(), "{url}");
        }
        let gateway = Gateway::new("http://127.0.0.1:8086/", SETTINGS, Clock::system()).unwrap();
        assert_eq!(gateway.charges, "http://127.0.0.1:8086/charges");
    }
}
