//! A service under measurement: a process of its own, the benchmark's own binary with another subcommand.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use contract::process::Ready;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Longest time for a service to start, and for anything else to happen.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// Where it is reached.
    pub address: SocketAddr,
    management: Option<SocketAddr>,
    /// From its start until it did its work.
    pub ready_after: Duration,
}

impl Service {
    /// Starts a service on free ports and waits until it is ready.
    ///
    /// # Errors
    /// It does not get there.
    pub async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .args(["--port", "0", "--management-port", "0", "--exit-with-parent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().context("the child has no output")?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
        let ready: Ready = serde_json::from_str(&line.context("the service did not start")?)?;
        let (address, management) = (ready.address, ready.management);
        Ok(Self { child, address, management, ready_after: begun.elapsed() })
    }

    /// What a metric without labels says; 0 where there is none.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let management = self.management.context("the service has no second door")?;
        let text = get(management, "/metrics").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.map_or(Ok(0.0), str::parse)?)
    }

    /// Asks until a metric is as it should be.
    ///
    /// # Errors
    /// It never is, or cannot be asked.
    pub async fn until_metric(
        &self,
        name: &str,
        wanted: impl Fn(f64) -> bool,
    ) -> anyhow::Result<()> {
        self.until(async || Ok(wanted(self.metric(name).await?)))
            .await
            .with_context(|| name.to_owned())
    }

    /// Asks until something holds.
    ///
    /// # Errors
    /// It never does, or cannot be asked.
    pub async fn until(&self, holds: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let look = async {
            while !holds().await? {
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, look).await.context("not in time")?
    }

    /// Bytes of memory that the service has written to and holds.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn memory_bytes(&self) -> anyhow::Result<usize> {
        let pid = self.child.id().context("the service has ended")?;
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let Some(line) = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")) else {
            bail!("this system does not tell how much memory a process holds");
        };
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// What an address answers to a GET, its head included.
///
/// # Errors
/// It cannot be reached.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
