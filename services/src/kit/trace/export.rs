//! Sending spans to a collector over OTLP/HTTP, in the background: whatever the collector does, the
//! shop goes on, and what cannot be sent is dropped and counted.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

use super::context::TraceContext;
use super::otlp;
use super::span::Finished;
use crate::kit::metrics::{TRACE_SPANS_DROPPED, TRACE_SPANS_SENT};
use crate::kit::rng;

/// Spans that may wait for the collector.
const QUEUE: usize = 8_192;

/// Spans in one request.
const MAX_BATCH: usize = 512;

/// How long a first span waits for others.
const LINGER: Duration = Duration::from_millis(500);

/// How long the collector may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time to send what is left when the process ends.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Where traces go. The environment's names are OpenTelemetry's.
#[derive(Debug, Clone, clap::Args)]
pub struct TraceArgs {
    /// Send traces to the OTLP/HTTP collector at this URL, like http://127.0.0.1:4318; without one
    /// nothing is recorded.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Share of the requests without a trace of their own that begin one, 0 to 1.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, value_parser = ratio)]
    pub trace_ratio: f64,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err("not between 0 and 1".to_owned()) }
}

static TRACER: OnceLock<Tracer> = OnceLock::new();

/// The process's tracer, when it has one.
pub(super) fn tracer() -> Option<&'static Tracer> {
    TRACER.get()
}

/// Makes traces, and takes their spans.
#[derive(Debug)]
pub(super) struct Tracer {
    ratio: f64,
    rng: Mutex<StdRng>,
    queue: mpsc::Sender<Finished>,
    stop: tokio_util::sync::CancellationToken,
}

impl Tracer {
    pub(super) fn span_id(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64().max(1)
    }

    /// The first place of a new trace; `None` when this one is not sampled.
    pub(super) fn begin_trace(&self) -> Option<TraceContext> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled = rng.random::<f64>() < self.ratio;
        sampled.then(|| TraceContext {
            trace_id: rng.random::<u128>().max(1),
            span_id: rng.next_u64().max(1),
            sampled,
        })
    }

    pub(super) fn record(&self, span: Finished) {
        if self.queue.try_send(span).is_err() {
            TRACE_SPANS_DROPPED.add(1);
        }
    }
}

/// The task that sends; ended in order by [`Exporter::finish`].
pub(crate) struct Exporter(JoinHandle<()>);

impl TraceArgs {
    /// Starts recording and sending, where there is a collector.
    ///
    /// # Errors
    /// When its URL is none.
    pub(crate) fn install(
        &self,
        service: &'static str,
        instance: &str,
    ) -> anyhow::Result<Option<Exporter>> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let wrong =
            || format!("--otlp-endpoint: {endpoint:?} is no URL like http://127.0.0.1:4318");
        let uri: hyper::Uri = url.parse().with_context(wrong)?;
        ensure!(uri.scheme_str() == Some("http") && uri.host().is_some(), wrong());
        let (queue, spans) = mpsc::channel(QUEUE);
        let stop = tokio_util::sync::CancellationToken::new();
        let rng = Mutex::new(rng::from_entropy());
        let tracer = Tracer { ratio: self.trace_ratio, rng, queue, stop: stop.clone() };
        ensure!(TRACER.set(tracer).is_ok(), "traces are recorded already");
        let sender = Sender { uri, service, instance: instance.to_owned(), client: client() };
        Ok(Some(Exporter(tokio::spawn(sender.run(spans, stop)))))
    }
}

impl Exporter {
    /// Sends what is left, within bounds.
    pub(crate) async fn finish(self) {
        if let Some(tracer) = tracer() {
            tracer.stop.cancel();
        }
        if tokio::time::timeout(FLUSH_PATIENCE, self.0).await.is_err() {
            warn!("the last spans did not reach the collector in time");
        }
    }
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(HttpConnector::new())
}

struct Sender {
    uri: hyper::Uri,
    service: &'static str,
    instance: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Sender {
    async fn run(
        self,
        mut spans: mpsc::Receiver<Finished>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let mut batch = Vec::new();
        let mut healthy = true;
        loop {
            tokio::select! {
                biased;
                count = spans.recv_many(&mut batch, MAX_BATCH) => if count == 0 { return },
                () = stop.cancelled() => return,
            }
            if batch.len() < MAX_BATCH {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => (),
                    () = tokio::time::sleep(LINGER) => (),
                }
                while batch.len() < MAX_BATCH
                    && let Ok(span) = spans.try_recv()
                {
                    batch.push(span);
                }
            }
            let count = batch.len() as u64;
            match self.send(&batch).await {
                Ok(()) => {
                    TRACE_SPANS_SENT.add(count);
                    healthy = true;
                }
                Err(error) => {
                    TRACE_SPANS_DROPPED.add(count);
                    // Once for each time that the collector goes away.
                    if std::mem::take(&mut healthy) {
                        warn!(%error, collector = %self.uri, "spans are dropped");
                    }
                }
            }
            batch.clear();
        }
    }

    async fn send(&self, batch: &[Finished]) -> anyhow::Result<()> {
        let body = serde_json::to_vec(&otlp::request(self.service, &self.instance, batch))?;
        let request = Request::post(&self.uri)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let exchange = async {
            let response = self.client.request(request).await.context("no answer")?;
            let status = response.status();
            response.into_body().collect().await.context("the answer broke off")?;
            ensure!(status.is_success(), "the collector answered {status}");
            Ok(())
        };
        tokio::time::timeout(PATIENCE, exchange).await.context("no answer in time")?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_collectors_have_their_form() {
        assert_eq!(ratio("0.01"), Ok(0.01));
        for wrong in ["-1", "1.5", "NaN", "all"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
        for wrong in ["collector", "https://collector", "http://", "ftp://collector"] {
            let args = TraceArgs { otlp_endpoint: Some(wrong.to_owned()), trace_ratio: 1.0 };
            let Err(error) = args.install("order", "1") else { panic!("{wrong} was taken") };
            assert!(error.to_string().contains("--otlp-endpoint"), "{error:#}");
        }
    }
}
