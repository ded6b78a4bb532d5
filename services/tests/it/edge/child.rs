//! Services as child processes: this test binary starts itself again.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use clap::Parser;
use contract::process::Ready;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use services::ServiceCommand;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The service and its arguments, separated by line breaks.
const ARGUMENTS: &str = "EDGE_TEST_SERVICE";

/// When something awaited counts as never coming, on however busy a machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

#[derive(clap::Subcommand)]
enum Role {
    #[command(flatten)]
    Service(ServiceCommand),
    /// For tests in which it dies.
    Broker(sim::BrokerArgs),
}

/// What a child runs.
#[test]
#[ignore = "the entry point of child processes, no test"]
fn service_process() {
    let arguments = std::env::var(ARGUMENTS).unwrap();
    let command = CommandLine::parse_from(["service"].into_iter().chain(arguments.lines()));
    let runtime = services::runtime().unwrap();
    let ran = match command.role {
        Role::Service(service) => runtime.block_on(services::run(service)),
        Role::Broker(broker) => runtime.block_on(sim::run(broker)),
    };
    if let Err(error) = ran {
        eprintln!("{error:#}");
        std::process::exit(104);
    }
    std::process::exit(0);
}

/// A running service. Killed when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where metrics and management are; unknown before the service is ready.
    pub(crate) management: Option<SocketAddr>,
    /// What outlives the process, unless the arguments name another place.
    _data: TempDir,
}

fn command(arguments: &[&str], data: &TempDir) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("DATA_DIR", data.path())
        .env("MANAGEMENT_PORT", "0")
        .env_remove("DATABASE_URL")
        .args(["--ignored", "--exact", "--nocapture", "edge::child::service_process"])
        .env(ARGUMENTS, [arguments, &["--exit-with-parent"]].concat().join("\n"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Service {
    /// Starts a service and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::told_by(&[], arguments).await
    }

    /// The same, with settings in its environment, as deployments have them.
    pub(crate) async fn told_by(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = command(arguments, &data);
        let mut child = command.envs(environment.iter().copied()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                // The test library writes on the same line.
                if let Some(start) = line.find("{\"ready\"") {
                    return serde_json::from_str::<Ready>(&line[start..]).unwrap();
                }
            }
            panic!("the service ended before it was ready");
        };
        let ready = tokio::time::timeout(DEADLINE, ready).await.expect("ready in time");
        assert_eq!(ready.ready, arguments[0]);
        Self { child, address: ready.address, management: ready.management, _data: data }
    }

    /// Starts a service on a free port, reading and writing the log at `kafka`.
    pub(crate) async fn on(kafka: SocketAddr, arguments: &[&str]) -> Self {
        let kafka = kafka.to_string();
        Self::start(&[arguments, &["--kafka", &kafka, "--port", "0"]].concat()).await
    }

    /// Starts a service that cannot become ready yet; returns as soon as it accepts connections.
    pub(crate) async fn starting(arguments: &[&str]) -> Self {
        let address = super::port::reserved();
        let port = address.port().to_string();
        let data = tempfile::tempdir().unwrap();
        let child = command(&[arguments, &["--port", &port]].concat(), &data).spawn().unwrap();
        let accepts = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, accepts).await.expect("listens in time");
        Self { child, address, management: None, _data: data }
    }

    /// Bytes of memory that it has written to and holds.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_bytes(&self) -> usize {
        let path = format!("/proc/{}/smaps_rollup", self.child.id().unwrap());
        let rollup = std::fs::read_to_string(path).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes * 1024
    }

    /// Starts a service that has to fail at its start; returns what it says, and how it ends.
    pub(crate) async fn fail(arguments: &[&str]) -> (String, ExitStatus) {
        let data = tempfile::tempdir().unwrap();
        let mut child = command(arguments, &data).stderr(Stdio::piped()).spawn().unwrap();
        // Waiting closes the child's standard input, which would end it in order.
        let _open = child.stdin.take();
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.unwrap();
        let output = output.unwrap();
        (String::from_utf8(output.stderr).unwrap(), output.status)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Lets it stand still, as a machine does that swaps or sleeps.
    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Self::stop`].
    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it at once.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Closes its standard input, as a parent that dies does.
    pub(crate) fn abandon(&mut self) {
        self.child.stdin = None;
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        // Waiting closes the child's standard input, which would end it in order.
        let _open = self.child.stdin.take();
        tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("ends in time").unwrap()
    }
}
