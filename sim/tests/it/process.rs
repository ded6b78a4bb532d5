//! The broker as a process of its own, that can be killed: cargo builds the example `broker` beside the tests.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

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
fn command(prefix: &[&str], listen: &str, arguments: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let program = program.ancestors().nth(2).unwrap().join("examples/broker");
    assert!(program.exists(), "`cargo test -p sim` builds {}", program.display());
    let mut command = match prefix.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(&program);
            command
        }
        None => Command::new(&program),
    };
    command
        .args(["--listen", listen, "--exit-with-parent"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

impl BrokerProcess {
    /// Starts a broker and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_under(&[], arguments)
    }

    pub(crate) fn start_under(prefix: &[&str], arguments: &[&str]) -> Self {
        Self::ready(command(prefix, "127.0.0.1:0", arguments))
    }

    /// Starts one on `listen` with as many descriptors as it may have, or `descriptors`. What it says on
    /// standard error is kept for [`BrokerProcess::stop`].
    pub(crate) fn start_on(listen: &str, descriptors: Option<u32>, arguments: &[&str]) -> Self {
        let limit = descriptors.map_or("$(ulimit -H -n)".to_owned(), |limit| limit.to_string());
        let limited = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut command = command(&["sh", "-c", &limited], listen, arguments);
        command.stderr(Stdio::piped());
        Self::ready(command)
    }

    fn ready(mut command: Command) -> Self {
        let mut child = command.spawn().expect("starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split('"').nth(7).unwrap_or_else(|| panic!("it said {ready:?}"));
        Self { address: address.parse().unwrap(), child }
    }

    /// Runs a broker that should not come up.
    pub(crate) fn fail(arguments: &[&str]) -> Ended {
        let mut command = command(&[], "127.0.0.1:0", arguments);
        let output = command.stderr(Stdio::piped()).output().expect("starts");
        let errors = String::from_utf8(output.stderr).unwrap();
        Ended { status: output.status, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(peak.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
    }

    /// Lets it end with its parent's pipe, and returns what it said on standard error.
    pub(crate) fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
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
