//! The brokers under measurement, as processes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::client::Client;
use crate::java::Java;
use benches::process;

/// A broker that takes longer to answer has failed.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a broker that announces nothing is tried.
const RETRY: Duration = Duration::from_millis(1);

/// One of the brokers to compare.
pub(crate) trait Kind {
    fn name(&self) -> &'static str;
    fn start(&self) -> anyhow::Result<Running>;
}

/// A broker process that answers. Dropping it kills it: nothing of it is worth an orderly end.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    /// From its start to its first answer.
    pub(crate) ready: Duration,
    _data: Option<TempDir>,
}

impl Running {
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.child.id())
    }

    pub(crate) fn pss_bytes(&self) -> anyhow::Result<u64> {
        process::pss_bytes(self.child.id())
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::connect(&self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ours.
#[derive(Debug, Clone)]
pub(crate) struct Doorbuster {
    binary: PathBuf,
    arguments: Vec<String>,
}

impl Doorbuster {
    pub(crate) fn new(binary: PathBuf) -> Self {
        Self { binary, arguments: Vec::new() }
    }

    /// The same binary with more arguments.
    pub(crate) fn with(&self, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { binary: self.binary.clone(), arguments }
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Whether `broker --help` names this flag.
    pub(crate) fn knows(&self, flag: &str) -> anyhow::Result<bool> {
        let help = Command::new(&self.binary).args(["broker", "--help"]).output()?;
        Ok(String::from_utf8_lossy(&help.stdout).contains(flag))
    }
}

impl Kind for Doorbuster {
    fn name(&self) -> &'static str {
        "doorbuster"
    }

    fn start(&self) -> anyhow::Result<Running> {
        let started = Instant::now();
        let child = Command::new(&self.binary)
            .args(["broker", "--listen", "127.0.0.1:0", "--exit-with-parent"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut running =
            Running { child, address: String::new(), ready: START_LIMIT, _data: None };
        let mut line = String::new();
        let stdout = running.child.stdout.take().context("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("no ready line: {line:?}"))?;
        running.address = ready["address"].as_str().context("no address")?.to_owned();
        running.client()?.api_versions()?;
        running.ready = started.elapsed();
        Ok(running)
    }
}

/// Apache Kafka: one KRaft node that is broker and controller, on a fresh directory.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    java: Java,
}

impl Kafka {
    pub(crate) fn new(java: Java) -> Self {
        Self { java }
    }

    fn format(&self, properties: &Path) -> anyhow::Result<()> {
        let storage = |arguments: &[&str]| -> anyhow::Result<String> {
            let output =
                self.java.command().arg("kafka.tools.StorageTool").args(arguments).output()?;
            let errors = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "StorageTool failed: {errors}");
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let said = storage(&["random-uuid"])?;
        let id = said.lines().last().context("no cluster id")?;
        let properties = properties.to_str().context("a path in UTF-8")?;
        storage(&["format", "-t", id, "-c", properties])?;
        Ok(())
    }
}

impl Kind for Kafka {
    fn name(&self) -> &'static str {
        "Kafka 4.1"
    }

    fn start(&self) -> anyhow::Result<Running> {
        let data = tempfile::tempdir()?;
        let (port, controller) = (free_port()?, free_port()?);
        let properties = data.path().join("server.properties");
        fs::write(&properties, server_properties(port, controller, &data.path().join("log")))?;
        self.format(&properties)?;
        let started = Instant::now();
        let child = self
            .java
            .command()
            .args(["-Xmx1g", "-Xms1g", "-XX:+UseG1GC", "kafka.Kafka"])
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start java")?;
        let address = format!("127.0.0.1:{port}");
        let mut running = Running { child, address, ready: START_LIMIT, _data: Some(data) };
        while running.client().and_then(|mut client| client.api_versions()).is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("Kafka ended: {status}");
            }
            ensure!(started.elapsed() < START_LIMIT, "Kafka does not answer");
            std::thread::sleep(RETRY);
        }
        running.ready = started.elapsed();
        Ok(running)
    }
}

fn server_properties(port: u16, controller: u16, log: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={}
num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
",
        log.display()
    )
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
