//! What is kept of a run that lasts for hours. No clock: the hours are made up.

use std::time::Duration;

use loadgen::metrics::{LoadState, Registry};

const HOUR_S: u64 = 3600;
/// 15 minutes second by second, 12 hours by tens, and what is still open or waits to be merged.
const MOST_WINDOWS: usize = 900 + 4320 + 20;
/// The interval log halves itself at this many.
const MOST_INTERVALS: usize = 181;

/// A load of so many seconds, a snapshot each; a trend has samples once a minute, which is often enough to fill the
/// interval log and seldom enough for a test.
struct Long {
    registry: Registry,
    load: LoadState,
    second: u64,
}

impl Long {
    fn last(&mut self, seconds: u64) {
        let tags = [("name", "order"), ("status", "201")];
        let requests = self.registry.counter("http_reqs", &tags);
        let users = self.registry.gauge("vus", &[]);
        let checks = self.registry.rate("checks", &[]);
        let times = self.registry.trend("http_req_duration", &tags);
        for _ in 0..seconds {
            self.second += 1;
            self.registry.add(requests, 1000);
            self.registry.set(users, 20.0);
            self.registry.record(checks, true);
            if self.second.is_multiple_of(60) {
                self.registry.observe(times, Duration::from_millis(self.second % 200));
            }
            let snapshot = self.registry.snapshot(Duration::from_secs(self.second));
            self.load.merge(0, &snapshot).expect("a sound snapshot");
        }
    }

    /// Windows, the readings in all of them, intervals, metrics.
    fn kept(&self) -> [usize; 4] {
        let windows = self.load.windows();
        let readings = windows.iter().map(|window| window.readings().count()).sum();
        [windows.len(), readings, self.load.intervals().len(), self.load.metrics().len()]
    }
}

#[test]
fn hours_are_kept_in_the_room_of_the_first_ones() {
    let mut long = Long { registry: Registry::new(), load: LoadState::new(), second: 0 };
    long.last(13 * HOUR_S);
    let [windows, readings, intervals, metrics] = long.kept();
    assert!(windows <= MOST_WINDOWS, "{windows}");
    assert!(intervals <= MOST_INTERVALS, "{intervals}");
    long.last(2 * HOUR_S);
    let [more_windows, more_readings, more_intervals, more_metrics] = long.kept();
    assert!(more_windows <= MOST_WINDOWS, "{more_windows}");
    assert!(more_intervals <= MOST_INTERVALS, "{more_intervals}");
    assert_eq!(more_metrics, metrics);
    // Nothing but the last windows' number may differ, by what waits to be merged.
    assert!(more_readings <= readings + readings / 100, "{readings} grew to {more_readings}");
    // And nothing of it is lost: the totals count the first second as the last.
    assert_eq!(long.load.count("http_reqs", &[]), 15 * HOUR_S * 1000);
    assert_eq!(long.load.trend("http_req_duration", &[]).count(), 15 * 60);
    let logged: u64 = long
        .load
        .intervals()
        .iter()
        .flat_map(|interval| {
            interval.histograms().map(|(_, histogram)| histogram.len()).collect::<Vec<_>>()
        })
        .sum();
    // The metric as a whole and by its name.
    assert_eq!(logged, 2 * 15 * 60);
}
