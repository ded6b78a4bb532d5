//! What each process costs: CPU, proportional memory, open descriptors, read from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use loadgen::report::{ProcessUsage, UsageLine, UsagePoint};

/// The kernel counts CPU time in these everywhere on Linux (`sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Points of a process's time line; when they are too many, every second one goes and half as many follow.
const MAX_POINTS: usize = 400;

/// Follows processes by name, over their restarts.
#[derive(Debug)]
pub struct Usage {
    started: Instant,
    sampled: Instant,
    processes: BTreeMap<String, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    pid: u32,
    /// CPU seconds of processes of this name that have ended, as far as they were seen, less what the
    /// first of them had spent when it was seen first.
    ended_seconds: f64,
    seconds: f64,
    percent: f64,
    pss_bytes: u64,
    peak_pss_bytes: u64,
    fds: u64,
    line: Line,
}

/// What was seen over time.
#[derive(Debug, Default)]
struct Line {
    points: Vec<UsagePoint>,
    /// Samples for each point, less one.
    skip: u32,
    skipped: u32,
}

/// One look at one process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    cpu_seconds: f64,
    pss_bytes: u64,
    fds: u64,
}

impl Default for Usage {
    fn default() -> Self {
        let now = Instant::now();
        Self { started: now, sampled: now, processes: BTreeMap::new() }
    }
}

impl Usage {
    /// Looks at `processes` (names and ids) now.
    pub fn sample(&mut self, processes: &[(String, u32)]) {
        let interval = self.sampled.elapsed();
        self.sampled = Instant::now();
        for (name, pid) in processes {
            // A process may end between being listed and being looked at.
            let Ok(sample) = look_at(*pid) else { continue };
            let followed = self.processes.entry(name.clone()).or_insert_with(|| {
                // What it spent before anybody looked belongs to an earlier phase.
                Followed { pid: *pid, ended_seconds: -sample.cpu_seconds, ..Followed::default() }
            });
            followed.take(*pid, sample, interval);
            let at_s = self.started.elapsed().as_secs_f64();
            let Followed { percent: cpu_percent, pss_bytes, .. } = *followed;
            followed.line.add(UsagePoint { at_s, cpu_percent, pss_bytes });
        }
    }

    /// What each used over time.
    #[must_use]
    pub fn lines(&self) -> Vec<UsageLine> {
        let line = |(name, followed): (&String, &Followed)| UsageLine {
            name: name.clone(),
            points: followed.line.points.clone(),
        };
        self.processes.iter().map(line).collect()
    }

    /// As of the last sample: the present.
    #[must_use]
    pub fn now(&self) -> Vec<ProcessUsage> {
        self.list(|followed| followed.percent)
    }

    /// Over the whole time: CPU on average, memory at its peak.
    #[must_use]
    pub fn overall(&self) -> Vec<ProcessUsage> {
        let seconds = self.started.elapsed().as_secs_f64().max(f64::EPSILON);
        self.list(|followed| 100.0 * (followed.ended_seconds + followed.seconds) / seconds)
    }

    fn list(&self, percent: impl Fn(&Followed) -> f64) -> Vec<ProcessUsage> {
        let usage = |(name, followed): (&String, &Followed)| ProcessUsage {
            name: name.clone(),
            pid: followed.pid,
            cpu_percent: percent(followed),
            cpu_seconds: followed.ended_seconds + followed.seconds,
            pss_bytes: followed.pss_bytes,
            peak_pss_bytes: followed.peak_pss_bytes,
            fds: followed.fds,
        };
        self.processes.iter().map(usage).collect()
    }
}

impl Followed {
    fn take(&mut self, pid: u32, sample: Sample, interval: Duration) {
        if self.pid != pid {
            self.ended_seconds += self.seconds;
            (self.pid, self.seconds) = (pid, 0.0);
        }
        let spent = if self.pss_bytes == 0 { 0.0 } else { sample.cpu_seconds - self.seconds };
        self.percent = 100.0 * spent / interval.as_secs_f64().max(f64::EPSILON);
        self.seconds = sample.cpu_seconds;
        self.pss_bytes = sample.pss_bytes;
        self.peak_pss_bytes = self.peak_pss_bytes.max(sample.pss_bytes);
        self.fds = sample.fds;
    }
}

impl Line {
    fn add(&mut self, point: UsagePoint) {
        if self.skipped < self.skip {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        self.points.push(point);
        if self.points.len() > MAX_POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.skip = self.skip * 2 + 1;
        }
    }
}

fn look_at(pid: u32) -> io::Result<Sample> {
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
    Ok(Sample {
        cpu_seconds: cpu_seconds(&text("stat")?).unwrap_or_default(),
        pss_bytes: pss_bytes(&text("smaps_rollup")?).unwrap_or_default(),
        fds: open_descriptors(pid)?,
    })
}

/// Since Linux 6.2 the folder's size is the number of descriptors: no need to list 10,000 of them.
fn open_descriptors(pid: u32) -> io::Result<u64> {
    let folder = format!("/proc/{pid}/fd");
    match fs::metadata(&folder)?.len() {
        0 => Ok(fs::read_dir(folder)?.count() as u64),
        count => Ok(count),
    }
}

/// User and system time out of /proc/PID/stat: the 12th and 13th field after the command's name, which
/// stands in parentheses and may contain anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn pss_bytes(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        let rollup =
            "5500-7fff ---p 0 00:00 0 [rollup]\nRss:  900 kB\nPss:                 512 kB\n";
        assert_eq!(pss_bytes(rollup), Some(512 * 1024));
        assert_eq!(pss_bytes("Rss: 1 kB"), None);
    }

    #[test]
    fn this_very_process_has_a_cost() {
        let mut usage = Usage::default();
        usage.sample(&[("me".into(), std::process::id()), ("nobody".into(), u32::MAX)]);
        let seen = usage.now();
        assert_eq!(seen.len(), 1, "a process that is gone is left out");
        assert!(seen[0].pss_bytes > 0 && seen[0].fds >= 3);
    }

    #[test]
    fn a_time_line_stays_bounded_and_evenly_spaced() {
        let mut line = Line::default();
        for second in 0..3601_u32 {
            let at_s = f64::from(second);
            line.add(UsagePoint { at_s, cpu_percent: 1.0, pss_bytes: 1 });
        }
        let seconds: Vec<f64> = line.points.iter().map(|point| point.at_s).collect();
        assert!((MAX_POINTS / 2..=MAX_POINTS).contains(&seconds.len()), "{}", seconds.len());
        let gaps: Vec<f64> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((seconds[0], gaps[0]), (0.0, 16.0));
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
    }

    #[test]
    fn a_restart_keeps_what_its_predecessor_spent_and_the_peak() {
        let mut followed = Followed::default();
        let sample = |cpu_seconds, pss_bytes| Sample { cpu_seconds, pss_bytes, fds: 1 };
        followed.take(1, sample(1.0, 200), Duration::from_secs(1));
        assert_eq!(followed.percent, 0.0, "the first look has nothing to compare with");
        followed.take(1, sample(2.0, 300), Duration::from_secs(1));
        followed.take(2, sample(0.5, 100), Duration::from_secs(1));
        assert_eq!(followed.ended_seconds + followed.seconds, 2.5);
        assert_eq!((followed.pss_bytes, followed.peak_pss_bytes), (100, 300));
        assert_eq!(followed.percent, 50.0);
    }
}
