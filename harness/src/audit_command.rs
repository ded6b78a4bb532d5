//! `doorbuster audit`: the audit on any cluster.

use std::time::Duration;

use anyhow::Context as _;
use loadgen::report::Verdict;

use crate::audit::audit;
use crate::audit::gather::{Sources, gather};
use crate::cli::{AuditArgs, database_url};
use crate::exit::Outcome;
use crate::say;

/// Reads the topics from offset 0, judges them, and prints what was found.
///
/// # Errors
/// Kafka does not answer, or a journal or the ledger cannot be read.
pub async fn audit_command(args: AuditArgs) -> anyhow::Result<Outcome> {
    let sockets_expected = !args.journal.is_empty();
    let sources = Sources {
        kafka: args.kafka,
        journals: Some(args.journal).filter(|journals| !journals.is_empty()),
        gateway: args.gateway,
        inventory: args.inventory,
        status: args.status,
        database: database_url(args.database.as_ref()),
        initial_stock: args.stock.map(|stock| stock.0),
        sockets_expected,
        undisturbed: args.undisturbed,
        sole_clients: true,
        groups_expected: false,
        stuck_after: Duration::from_secs(args.stuck_after),
    };
    let mut evidence = gather(&sources, |_| ()).await?;
    // A journal alone does not tell whether its clients were meant to watch.
    let watched = |journal: &crate::audit::journal::Journal| {
        journal.requests.iter().any(|request| request.socket.is_some())
    };
    evidence.sockets_expected = evidence.journal.as_ref().is_some_and(watched);
    let report = audit(&evidence);
    if args.json {
        say::line(serde_json::to_string_pretty(&report).context("the report")?);
    } else {
        report.table().iter().chain(&report.lines()).for_each(say::line);
    }
    let verdict = if report.passed() { Verdict::Pass } else { Verdict::AuditViolation };
    Ok(Outcome::Judged(verdict))
}
