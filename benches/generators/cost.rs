//! What a command and all its children cost.

use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use benches::process;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Between two looks at memory: each costs the kernel a walk through the tool's pages.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// User and system time, of children too.
    pub(crate) cpu: Duration,
    /// The highest sum of proportional set sizes that was seen.
    pub(crate) peak_pss_bytes: u64,
}

/// Runs a command to its end. Exit codes in `fine` are no failure.
pub(crate) fn of(command: &mut Command, fine: &[i32]) -> anyhow::Result<(Output, Cost)> {
    let before = waited_for()?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("{:?}", command.get_program()))?;
    let (pid, over) = (child.id(), AtomicBool::new(false));
    let (output, peak_pss_bytes) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| peak(pid, &over));
        let output = child.wait_with_output();
        over.store(true, Ordering::Relaxed);
        (output, watching.join().unwrap_or_default())
    });
    let (output, cpu) = (output?, waited_for()? - before);
    let code = output.status.code().unwrap_or(-1);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(code == 0 || fine.contains(&code), "it ended with {code}: {}", said.trim());
    Ok((output, Cost { cpu, peak_pss_bytes }))
}

/// CPU time of all children that have ended and been waited for, and of theirs.
fn waited_for() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

fn peak(pid: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        peak = peak.max(tree(pid).into_iter().filter_map(|pid| process::pss_bytes(pid).ok()).sum());
        std::thread::park_timeout(LOOK_EVERY);
    }
    peak
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    found
}

/// The fourth field of its stat, after the name in parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
