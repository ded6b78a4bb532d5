//! The real binary, run to its end or watched from outside.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Two cores carry one shop under load, not three: tests that start one take turns.
static ONE_SHOP: Mutex<()> = Mutex::new(());

pub(crate) fn one_shop() -> MutexGuard<'static, ()> {
    ONE_SHOP.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn doorbuster(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

pub(crate) fn output(arguments: &[&str]) -> Output {
    doorbuster(arguments).output().expect("the binary runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The summary of the only run in `out`.
pub(crate) fn summary(out: &Path) -> Value {
    let runs: Vec<PathBuf> =
        fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 1, "one run, one folder: {runs:?}");
    let summary = fs::read(runs[0].join("summary.json")).expect("a summary");
    serde_json::from_slice(&summary).expect("the summary is JSON")
}

/// Runs a scenario of the test's own to its end; the exit code and the summary.
pub(crate) fn run(scenario: &str) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    fs::write(&file, scenario).unwrap();
    let out = folder.path().join("reports");
    let (file, out_text) = (file.to_str().unwrap(), out.to_str().unwrap());
    let output = doorbuster(&["run", file, "--no-tui", "--reports", out_text]).output().unwrap();
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(out.is_dir(), "no report at all: {said}");
    (output.status.code(), summary(&out), said)
}

/// Asks `condition` until it gives something; fails the test when it takes too long.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A run that is under way. Killed when the test ends early.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = doorbuster(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // Nobody reads what it says: that must not end it.
        drop((child.stdout.take(), child.stderr.take()));
        Self(child)
    }

    /// Its children, once there are `count`.
    pub(crate) fn children(&self, count: usize) -> BTreeSet<u32> {
        wait_for("all children", || {
            let found = children_of(self.0.id());
            (found.len() >= count).then_some(found)
        })
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// State and parent of a process, out of /proc/PID/stat.
fn state_and_parent(pid: &str) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn children_of(parent: u32) -> BTreeSet<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let children = names.filter(|pid| state_and_parent(pid).is_some_and(|(_, of)| of == parent));
    children.filter_map(|pid| pid.parse().ok()).collect()
}

/// Waits until none of `pids` runs. One that only waits to be buried does not run.
pub(crate) fn wait_until_gone(pids: &BTreeSet<u32>) {
    wait_for("the children's end", || {
        let runs = |pid: &u32| {
            state_and_parent(&pid.to_string())
                .is_some_and(|(state, _)| state != "Z" && state != "X")
        };
        (!pids.iter().any(runs)).then_some(())
    });
}
