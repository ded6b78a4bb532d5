//! The status service under measurement: a process of its own, this binary with another subcommand.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use contract::process::Ready;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Longest time for the service to start, and to take the orders in.
const PATIENCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Status {
    child: Child,
    pub(crate) address: SocketAddr,
    _data: TempDir,
}

impl Status {
    pub(crate) async fn start(kafka: SocketAddr) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["status", "--port", "0", "--exit-with-parent", "--status-limit", "0"])
            .args(["--kafka", &kafka.to_string()])
            .arg("--data-dir")
            .arg(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().context("the child has no output")?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
        let ready: Ready = serde_json::from_str(&line.context("the service did not start")?)?;
        Ok(Self { child, address: ready.address, _data: data })
    }

    /// Asks until the service knows an order with all of its events.
    pub(crate) async fn until_it_has(&self, order: &str) -> anyhow::Result<()> {
        let look = async {
            while !self.status(order).await?.contains("Shipped") {
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, look).await.context("the orders did not arrive in time")?
    }

    async fn status(&self, order: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request =
            format!("GET /status/{order} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Bytes of memory that the service has written to and holds.
    pub(crate) fn memory_bytes(&self) -> anyhow::Result<usize> {
        let pid = self.child.id().context("the service has ended")?;
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let Some(line) = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")) else {
            bail!("this system does not tell how much memory a process holds");
        };
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }
}
