//! The broker as a process that can be killed: this test binary, started once more.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use clap::Parser as _;

const ARGUMENTS: &str = "SIM_TEST_BROKER_ARGUMENTS";

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    broker: sim::BrokerArgs,
}

/// What the other tests start.
#[tokio::test]
#[ignore = "the broker process of other tests"]
async fn broker_process() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let arguments = Arguments::parse_from(["broker"].into_iter().chain(arguments.lines()));
    if let Err(error) = sim::run(arguments.broker).await {
        // One line, as `doorbuster` prints it.
        eprintln!("error: {error:#}");
        std::process::exit(104);
    }
}

pub(crate) struct BrokerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a broker had to say when it ended by itself.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) errors: String,
}

/// A command that runs the broker, with what is to be put before it (`prlimit --fsize=…`).
fn command(prefix: &[&str], arguments: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words = prefix.iter().map(|word| (*word).to_owned());
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(&program);
            command
        }
        None => Command::new(&program),
    };
    command
        .args(["--exact", "process::broker_process", "--ignored", "--nocapture"])
        .env(ARGUMENTS, [&["--listen", "127.0.0.1:0"], arguments].concat().join("\n"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl BrokerProcess {
    /// Starts a broker and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_under(&[], arguments)
    }

    pub(crate) fn start_under(prefix: &[&str], arguments: &[&str]) -> Self {
        let mut child = command(prefix, arguments).spawn().expect("starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
            // The test harness writes in front of it.
            if let Some((_, rest)) = line.split_once(r#""address":""#) {
                break rest.split('"').next().unwrap().parse().unwrap();
            }
        };
        // What the harness prints at the end must find a reader.
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    /// Runs a broker that should not come up.
    pub(crate) fn fail(arguments: &[&str]) -> Ended {
        let output = command(&[], arguments).stderr(Stdio::piped()).output().expect("starts");
        let errors = String::from_utf8(output.stderr).unwrap();
        Ended { status: output.status, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the end that follows.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let id = self.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
