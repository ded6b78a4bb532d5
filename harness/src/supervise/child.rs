//! One child process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use contract::process::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};

/// How long a child may take to do its work. On a real Kafka it may have to wait for its group.
pub const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a child may take to finish after SIGTERM, before it is killed.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Lines of a failed child's log that are shown.
const SHOWN_LINES: usize = 5;
/// Where those lines are looked for: the end of the log.
const LOG_TAIL_BYTES: i64 = 8 * 1024;

/// How to start a child.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// Under which its usage, its log and its notices stand.
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// What nobody should read in a list of processes.
    pub environment: Vec<(&'static str, String)>,
    /// The port of its first start: 0 for one that is chosen, and then kept.
    pub port: u16,
    /// The argument in front of its port, and what stands before the port in it.
    pub port_flag: &'static str,
    pub port_prefix: &'static str,
    /// The port of its management door, likewise; `None` for a process without one.
    pub management_port: Option<u16>,
    /// Its standard error goes to `NAME.log` in here.
    pub log_folder: PathBuf,
}

/// Why a child is not there.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start {name}: {source}")]
    Spawn { name: String, source: io::Error },
    /// It said why, in one line.
    #[error("{name}: {reason}")]
    Refused { name: String, reason: String },
    #[error("{name} was not ready within {} s; its last lines:\n{tail}", READY_WITHIN.as_secs())]
    TooSlow { name: String, tail: String },
}

impl ChildSpec {
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.log_folder.join(format!("{}.log", self.name))
    }

    fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log_path())
    }

    fn command(&self, ports: Ports, log: File) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg(self.port_flag)
            .arg(format!("{}{}", self.port_prefix, ports.public))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(management) = ports.management {
            command.arg("--management-port").arg(management.to_string());
        }
        command
    }

    /// Those of its first start.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        Ports { public: self.port, management: self.management_port }
    }
}

/// Where a child listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub public: u16,
    pub management: Option<u16>,
}

impl Ports {
    /// These, with a port that `choose` has chosen for each that is 0.
    #[must_use]
    pub fn or_else(self, choose: impl Fn() -> u16) -> Self {
        let public = if self.public == 0 { choose() } else { self.public };
        // Should both choices be the same, any other port will do.
        let other = || Some(choose()).filter(|port| *port != public).unwrap_or(0);
        let management = self.management.map(|port| if port == 0 { other() } else { port });
        Self { public, management }
    }

    /// Those of these ports that were chosen where `asked` leaves it open.
    pub fn chosen_beside(self, asked: Self) -> impl Iterator<Item = u16> {
        let public = (self.public, Some(asked.public));
        let management = self.management.map(|port| (port, asked.management));
        let chosen = [Some(public), management].into_iter().flatten();
        chosen.filter(|(_, asked)| *asked == Some(0)).map(|(port, _)| port)
    }
}

/// A child that has said that it does its work.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// Held open: the child stops when it closes.
    _stdin: Option<ChildStdin>,
    pub pid: u32,
    pub address: SocketAddr,
    pub management: Option<SocketAddr>,
}

impl Child {
    /// Starts the child and waits for its ready line. On `ports`, where they are not 0.
    ///
    /// # Errors
    /// It cannot be started, ended before it was ready, or took too long.
    pub async fn start(spec: &ChildSpec, ports: Ports) -> Result<Self, StartError> {
        let name = || spec.name.clone();
        let spawn_error = |source| StartError::Spawn { name: name(), source };
        let log = spec.open_log().map_err(spawn_error)?;
        let mut process = spec.command(ports, log).spawn().map_err(spawn_error)?;
        let pid = process.id().unwrap_or_default();
        let stdin = process.stdin.take();
        let Some(stdout) = process.stdout.take() else {
            return Err(spawn_error(io::Error::other("it has no standard output")));
        };
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(READY_WITHIN, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(Ready { address, management, .. }) = serde_json::from_str(&line) {
                    return Some((address, management));
                }
            }
            None
        });
        match ready.await {
            Ok(Some((address, management))) => {
                // Whatever else it prints is read, so that it never blocks on a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                Ok(Self { process, _stdin: stdin, pid, address, management })
            }
            Ok(None) => {
                let status = process.wait().await;
                let reason = last_words(&spec.log_path(), status);
                Err(StartError::Refused { name: name(), reason })
            }
            Err(_) => {
                let tail = log_tail(&spec.log_path()).join("\n");
                Err(StartError::TooSlow { name: name(), tail })
            }
        }
    }

    /// Waits for its end.
    pub async fn exited(&mut self) -> Option<ExitStatus> {
        self.process.wait().await.ok()
    }

    /// SIGKILL, and waits until the process is gone.
    pub async fn kill(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.process.kill().await;
    }

    /// SIGTERM, then SIGKILL when it takes too long. Tells whether it went by itself.
    pub async fn stop(mut self) -> bool {
        self.terminate();
        if tokio::time::timeout(STOP_WITHIN, self.process.wait()).await.is_ok() {
            return true;
        }
        self.kill().await;
        false
    }

    fn terminate(&self) {
        // Once it was waited for, its id may belong to somebody else.
        let Some(pid) = self.process.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

/// What a child that ended early said last: its own error line where there is one.
fn last_words(log: &Path, status: io::Result<ExitStatus>) -> String {
    let tail = log_tail(log);
    if let Some(line) = tail.iter().rev().find_map(|line| line.strip_prefix("error: ")) {
        return line.to_owned();
    }
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    if tail.is_empty() {
        return format!("ended before it was ready ({status}) and said nothing");
    }
    format!("ended before it was ready ({status}); its last lines:\n{}", tail.join("\n"))
}

fn log_tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}
