//! Makes a running service check itself, and watches.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use contract::http::ErrorResponse;
use contract::process::port::MANAGEMENT_OFFSET;
use contract::replay::{ReplayReport, ReplayRequest, ReplayState, ReplayStatus};
use hyper::StatusCode;
use loadgen::report::Verdict;

use super::bar::Bar;
use crate::cli::ReplayArgs;
use crate::exit::Outcome;
use crate::http::Connection;
use crate::say;
use crate::service::Service;

/// Between two looks.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

pub(super) async fn check(service: Service, args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let known = format!("http://127.0.0.1:{}", service.known_port() + MANAGEMENT_OFFSET);
    let management = args.management.as_deref().unwrap_or(&known);
    let mut connection = Connection::open(management, None).await?;
    let request = ReplayRequest {
        from: args.from.into(),
        batch_size: args.batch_size,
        rate: args.rate,
        window_hours: args.window,
        apply: args.apply,
    };
    let body = serde_json::to_vec(&request).context("the request")?;
    let (status, answer) = connection.post("/replay", body.into()).await?;
    if status != StatusCode::ACCEPTED {
        bail!("{management}: {}", reason(status, &answer));
    }
    let report: ReplayReport = serde_json::from_slice(&answer).context("no replay's report")?;
    if report.service != service.name() {
        bail!(
            "{management} is the management port of {}, not of {}",
            report.service,
            service.name()
        );
    }
    let mut bar = Bar::new();
    let report = loop {
        let (status, answer) = connection.get("/replay").await?;
        if status != StatusCode::OK {
            bail!("{management}: {}", reason(status, &answer));
        }
        let status: ReplayStatus = serde_json::from_slice(&answer).context("no replay's status")?;
        let report = status.replay.context("the replay is gone: was the service restarted?")?;
        bar.show(&report);
        if report.state != ReplayState::Running {
            break report;
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    };
    bar.end();
    tell(&report)
}

fn reason(status: StatusCode, answer: &Bytes) -> String {
    match serde_json::from_slice::<ErrorResponse>(answer) {
        Ok(ErrorResponse { error, details, .. }) => format!("{error}: {details}"),
        Err(_) => format!("no such door (it answered {status})"),
    }
}

fn tell(report: &ReplayReport) -> anyhow::Result<Outcome> {
    let ReplayReport { service, orders_compared, differences, .. } = report;
    let from = report.checkpoint.map_or_else(
        || "the oldest event".to_owned(),
        |checkpoint| format!("the snapshot of {}", checkpoint.format("%F %T UTC")),
    );
    say::line(format_args!(
        "{service}: replayed {} events from {from} on ({} dropped as applied, {} older than the window)",
        report.applied + report.dropped,
        report.dropped,
        report.outside_window
    ));
    for example in &report.examples {
        let or_nothing = |text: &str| if text.is_empty() { "nothing" } else { text }.to_owned();
        let (live, replayed) = (or_nothing(&example.live), or_nothing(&example.replayed));
        say::line(format_args!("  {}: live {live}, log {replayed}", example.order_id));
    }
    match report.state {
        ReplayState::Consistent => {
            say::line(format_args!("consistent: {orders_compared} orders are as the log says"));
            Ok(Outcome::Done)
        }
        ReplayState::Mended => {
            say::line(format_args!("mended: {differences} of {orders_compared} orders differed"));
            Ok(Outcome::Done)
        }
        ReplayState::Differs => {
            say::line(format_args!(
                "differs: {differences} of {orders_compared} orders; --apply replaces the state"
            ));
            Ok(Outcome::Judged(Verdict::AuditViolation))
        }
        ReplayState::Failed | ReplayState::Running => {
            bail!("the replay failed: {}", report.error.as_deref().unwrap_or("no reason is known"))
        }
    }
}
