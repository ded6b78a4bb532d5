//! The broker as a process of its own: cargo builds the example `broker` beside the tests.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

pub(crate) struct BrokerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BrokerProcess {
    /// Starts one on `listen` with as many descriptors as it may have, or `descriptors`.
    pub(crate) fn start(listen: &str, descriptors: Option<u32>, arguments: &[&str]) -> Self {
        let limit = descriptors.map_or("$(ulimit -H -n)".to_owned(), |limit| limit.to_string());
        let broker = std::env::current_exe().unwrap();
        let broker = broker.ancestors().nth(2).unwrap().join("examples/broker");
        assert!(broker.exists(), "`cargo test -p sim` builds {}", broker.display());
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")])
            .arg(broker)
            .args(["--listen", listen, "--exit-with-parent"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split('"').nth(7).unwrap_or_else(|| panic!("it said {ready:?}"));
        Self { address: address.parse().unwrap(), child }
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(peak.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
    }

    /// Lets it end by itself, and returns what it said on standard error.
    pub(crate) fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
