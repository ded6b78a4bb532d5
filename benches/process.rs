//! What a process costs, as its kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::unistd::Pid;

/// CPU time (user and system) of the process so far, threads that have ended included. The same figure as
/// utime + stime in /proc/PID/stat, but in nanoseconds instead of ticks of 10 ms.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let pid = i32::try_from(pid).context("a process id")?;
    let spent = nix::time::clock_getcpuclockid(Pid::from_raw(pid))?.now()?;
    Ok(Duration::from(spent))
}

/// Proportional set size: its own memory, and its share of what it maps together with others.
///
/// # Errors
/// There is no such process, or this system does not tell.
pub fn pss_bytes(pid: u32) -> anyhow::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).context("no Pss line")?;
    let kilobytes = line.split_whitespace().nth(1).context("no Pss value")?.parse::<u64>()?;
    Ok(kilobytes * 1024)
}

/// The processor's name.
#[must_use]
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
}

/// Lets this process, and those it starts, open as many files as the system allows.
///
/// # Errors
/// The system refuses.
pub fn raise_descriptor_limit() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}
