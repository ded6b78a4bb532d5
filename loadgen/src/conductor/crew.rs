//! The load processes, as their parent holds them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::ConductorOptions;
use crate::executor::schedule::Stripe;
use crate::shard::{Order, Plan, Report};

/// For a shard to read its plan, find the services and prepare its scenarios.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// For a shard to exit after it has told everything.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A load process that has its plan and has not started yet.
pub(super) struct ShardProcess {
    index: u32,
    pub(super) pid: u32,
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl ShardProcess {
    pub(super) async fn start(
        options: &ConductorOptions,
        stripe: Stripe,
        run_id: u64,
    ) -> anyhow::Result<Self> {
        let (program, arguments) =
            options.command.split_first().context("no command to start a load shard with")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start a load shard ({})", program.display()))?;
        let orders = child.stdin.take().context("a load shard without standard input")?;
        let reports = child.stdout.take().context("a load shard without standard output")?;
        let pid = child.id().unwrap_or_default();
        let reports = BufReader::new(reports);
        let mut shard = Self { index: stripe.index, pid, child, orders, reports };
        let plan = Plan {
            scenarios: options.phase.scenarios.clone(),
            targets: options.targets.clone(),
            given: options.given.clone(),
            journal_dir: options.journal_dir.clone(),
            seed: options.seed,
            run_id,
            segment: options.segment,
            stripe,
        };
        shard.say(&plan).await?;
        Ok(shard)
    }

    async fn say(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let said = self.orders.write_all(&json_line(line)?).await;
        said.with_context(|| format!("load shard {} does not listen", self.index))
    }

    pub(super) async fn order(&mut self, order: Order) -> anyhow::Result<()> {
        self.say(&order).await
    }

    pub(super) async fn until_ready(&mut self) -> anyhow::Result<()> {
        let report = tokio::time::timeout(READY_TIMEOUT, next_report(&mut self.reports)).await;
        let report = report.map_err(|_| anyhow!("load shard {} is not ready", self.index))??;
        match report {
            Some(Report::Ready(_)) => Ok(()),
            Some(Report::Failed(reason)) => bail!("{reason}"),
            _ => bail!("load shard {} died before it was ready", self.index),
        }
    }
}

fn json_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

async fn next_report(
    reports: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> anyhow::Result<Option<Report>> {
    let mut line = Vec::new();
    if reports.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).context("a load shard says what is no report")
}

/// A shard's report, or its end (`None`), or why it cannot be heard.
pub(super) type Heard = (usize, anyhow::Result<Option<Report>>);

/// The shards while they play.
pub(super) struct Crew {
    members: Vec<Member>,
    /// Members that have not finished.
    pub(super) playing: usize,
}

struct Member {
    child: Child,
    /// Closed, a shard exits.
    orders: ChildStdin,
    listener: JoinHandle<()>,
    finished: bool,
}

impl Crew {
    pub(super) fn listen(shards: Vec<ShardProcess>, heard: &mpsc::Sender<Heard>) -> Self {
        let member = |(index, shard): (usize, ShardProcess)| {
            let (heard, mut reports) = (heard.clone(), shard.reports);
            let listener = tokio::spawn(async move {
                loop {
                    let report = next_report(&mut reports).await;
                    let over = !matches!(report, Ok(Some(_)));
                    if heard.send((index, report)).await.is_err() || over {
                        return;
                    }
                }
            });
            Member { child: shard.child, orders: shard.orders, listener, finished: false }
        };
        let members: Vec<_> = shards.into_iter().enumerate().map(member).collect();
        Self { playing: members.len(), members }
    }

    pub(super) fn has_finished(&self, index: usize) -> bool {
        self.members.get(index).is_some_and(|member| member.finished)
    }

    pub(super) fn finished(&mut self, index: usize) {
        if let Some(member) = self.members.get_mut(index)
            && !std::mem::replace(&mut member.finished, true)
        {
            self.playing -= 1;
        }
    }

    pub(super) async fn tell(&mut self, order: Order) {
        // Serializing into memory has no way to fail.
        let Ok(line) = json_line(&order) else { return };
        for member in &mut self.members {
            // One that does not listen is about to be reported dead.
            let _ = member.orders.write_all(&line).await;
        }
    }

    pub(super) async fn dismiss(self) {
        for Member { mut child, orders, listener, .. } in self.members {
            drop(orders);
            listener.abort();
            // Beyond the time it is killed with its handle.
            let _ = tokio::time::timeout(EXIT_TIMEOUT, child.wait()).await;
        }
    }
}
