//! Kafka's own performance tools: the client by which every broker is measured.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};

pub(crate) const RECORD_BYTES: u64 = 300;

#[derive(Debug, Clone)]
pub(crate) struct Java {
    jars: PathBuf,
}

/// What ProducerPerformance reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Produced {
    pub(crate) average_ms: f64,
    pub(crate) p99_ms: f64,
}

/// How ProducerPerformance is to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) records: u64,
    /// Records a second; `None` as fast as it can.
    pub(crate) rate: Option<u64>,
    pub(crate) linger_ms: u64,
}

impl Java {
    pub(crate) fn new(jars: PathBuf) -> Self {
        Self { jars }
    }

    /// `java`, with Kafka's classes and nothing but errors on standard error.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("java");
        command.arg("-cp").arg(self.jars.join("*"));
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dlog4j2.level=ERROR"]);
        command
    }

    fn tool(&self, class: &str, arguments: &[String]) -> anyhow::Result<String> {
        let output = self
            .command()
            .arg(format!("org.apache.kafka.tools.{class}"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("cannot run java")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{class} failed: {said}{errors}");
        Ok(said)
    }

    /// Sends records of 300 bytes, acks=1, in batches of up to 128 KiB.
    pub(crate) fn produce(
        &self,
        broker: &str,
        topic: &str,
        pace: Pace,
    ) -> anyhow::Result<Produced> {
        let rate = pace.rate.map_or("-1".to_owned(), |rate| rate.to_string());
        let settings = [
            format!("bootstrap.servers={broker}"),
            "acks=1".to_owned(),
            format!("linger.ms={}", pace.linger_ms),
            "batch.size=131072".to_owned(),
        ];
        let mut arguments = vec!["--topic".to_owned(), topic.to_owned()];
        arguments.extend(["--num-records".to_owned(), pace.records.to_string()]);
        arguments.extend(["--record-size".to_owned(), RECORD_BYTES.to_string()]);
        arguments.extend(["--throughput".to_owned(), rate, "--producer-props".to_owned()]);
        arguments.extend(settings);
        let said = self.tool("ProducerPerformance", &arguments)?;
        produced(&said, pace.records).with_context(|| format!("not understood: {said}"))
    }

    /// Reads `records` from the start of a topic; returns how many it got in a second once it had joined its group.
    pub(crate) fn consume(&self, broker: &str, topic: &str, records: u64) -> anyhow::Result<f64> {
        let arguments = ["--bootstrap-server", broker, "--topic", topic, "--messages"];
        let mut arguments: Vec<String> =
            arguments.iter().map(|&argument| argument.to_owned()).collect();
        arguments.push(records.to_string());
        let said = self.tool("ConsumerPerformance", &arguments)?;
        consumed(&said, records).with_context(|| format!("not understood: {said}"))
    }

    /// What the tools' own virtual machine is.
    pub(crate) fn version(&self) -> &'static str {
        static VERSION: OnceLock<String> = OnceLock::new();
        VERSION.get_or_init(|| {
            let output = Command::new("java").arg("-version").output();
            let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            said.ok().and_then(|said| said.lines().next().map(str::to_owned)).unwrap_or_default()
        })
    }
}

/// The last line: `N records sent, …, A ms avg latency, … ms max latency, … ms 50th, … ms 95th, P ms 99th, …`.
fn produced(said: &str, records: u64) -> Option<Produced> {
    let line = said.lines().rfind(|line| line.contains("99th"))?;
    let sent = line.split_whitespace().next()?.parse::<u64>().ok()?;
    let field = |name: &str| {
        let piece = line.split(',').find(|piece| piece.trim_end().ends_with(name))?;
        piece.split_whitespace().next()?.parse::<f64>().ok()
    };
    let produced = Produced { average_ms: field("avg latency")?, p99_ms: field("99th")? };
    (sent == records).then_some(produced)
}

/// A line of titles and a line of values; `fetch.nMsg.sec` is the one without the time of joining.
fn consumed(said: &str, records: u64) -> Option<f64> {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("start.time"));
    let titles: Vec<&str> = lines.next()?.split(',').map(str::trim).collect();
    let values: Vec<&str> = lines.next()?.split(',').map(str::trim).collect();
    let value = |title: &str| {
        let at = titles.iter().position(|name| *name == title)?;
        values.get(at)?.parse::<f64>().ok()
    };
    (value("data.consumed.in.nMsg")? >= records as f64).then(|| value("fetch.nMsg.sec"))?
}
