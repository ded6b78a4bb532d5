//! A load of several real processes that is paused, turned up and resumed: together they keep the one plan.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use loadgen::conductor::{Conductor, ConductorOptions, Control};
use loadgen::course::Percent;
use loadgen::executor::schedule::{Arrivals, Paced, Stripe};
use loadgen::flow::Targets;
use loadgen::metrics::LoadState;
use loadgen::scenario::{self, Phase};
use tokio::sync::watch;

const RATE: f64 = 100.0;
const LASTS: Duration = Duration::from_secs(6);
const SCENARIO: &str = "\
name = \"steered\"
[scenarios.stock]
executor = \"constant-arrival-rate\"
exec = \"check-inventory\"
rate = 100
duration = \"6s\"
preAllocatedVUs = 1200
";
/// Snapshots of three shards in which anything that still starts would show.
const A_WHILE: usize = 12;

fn phase() -> Phase {
    scenario::parse(SCENARIO).unwrap().phases.remove(0)
}

/// A service that answers everything at once, until the test's process ends.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        }
    });
    url
}

async fn conduct(segment: Stripe, shards: u32, paused: bool) -> (Conductor, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = vec![service()];
    let conductor = Conductor::start(ConductorOptions {
        command: vec![env!("CARGO_BIN_EXE_doorbuster").into(), "load".into()],
        phase: phase(),
        targets: Targets {
            order: url.clone(),
            status: url.clone(),
            inventory: url,
            kafka: "127.0.0.1:9".into(),
        },
        given: Vec::new(),
        journal_dir: folder.path().to_owned(),
        seed: 1,
        shards,
        segment,
        paused,
    });
    (conductor.await.unwrap(), folder)
}

/// Started, whether or not they found a user: the plan's.
fn arrived(load: &LoadState) -> u64 {
    load.trend("send_lag", &[]).count() + load.count("dropped_iterations", &[])
}

async fn until(
    state: &mut watch::Receiver<Arc<LoadState>>,
    holds: impl Fn(&LoadState) -> bool,
) -> u64 {
    let waiting = state.wait_for(|load| holds(load));
    let load = tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
    arrived(&load)
}

/// Sees so many snapshots and gives what had arrived by the last.
async fn see(state: &mut watch::Receiver<Arc<LoadState>>, snapshots: usize) -> u64 {
    for _ in 0..snapshots {
        tokio::time::timeout(Duration::from_secs(60), state.changed()).await.unwrap().unwrap();
    }
    arrived(&state.borrow_and_update())
}

#[tokio::test]
async fn three_processes_pause_and_change_their_rate_as_one() {
    let (conductor, _folder) = conduct(Stripe::WHOLE, 3, true).await;
    let (mut state, course) = (conductor.watch(), conductor.course());
    assert!(course.is_paused());
    assert_eq!(see(&mut state, A_WHILE).await, 0, "it begins when it is told to");
    conductor.control(Control::Resume);
    until(&mut state, |load| arrived(load) >= 50).await;
    conductor.control(Control::Pause);
    let before = see(&mut state, A_WHILE).await;
    assert!(course.is_paused());
    assert_eq!(see(&mut state, A_WHILE).await, before, "nothing starts in a pause");
    conductor.control(Control::Rate(Percent::new(200)));
    conductor.control(Control::Resume);
    let result = tokio::time::timeout(Duration::from_secs(60), conductor.finish()).await;
    let result = result.unwrap().unwrap();
    let mut plan = Paced::new(Arrivals::constant(RATE, Duration::from_secs(1), LASTS));
    let changes = course.course().changes().to_vec();
    assert_eq!(changes.len(), 1);
    plan.change(changes[0]);
    let planned = (0..).map_while(|i| plan.start_of(i)).count() as u64;
    assert!((601..1200).contains(&planned), "{planned}");
    assert_eq!(arrived(&result.state), planned, "every arrival of the changed plan, once");
    assert_eq!(result.state.count("dropped_iterations", &[]), 0);
}

#[tokio::test]
async fn machines_with_different_numbers_of_processes_share_one_plan() {
    let mut all = 0;
    for (index, shards) in [(0, 2), (1, 1), (2, 3)] {
        let (conductor, _folder) = conduct(Stripe { index, of: 3 }, shards, false).await;
        let result = tokio::time::timeout(Duration::from_secs(60), conductor.finish()).await;
        let part = arrived(&result.unwrap().unwrap().state);
        assert_eq!(part, 200, "segment {index}");
        all += part;
    }
    assert_eq!(all, 600);
}
