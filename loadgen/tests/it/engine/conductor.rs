//! The parent's side, with children that say what a test wants.

use std::time::Duration;

use loadgen::conductor::{Conductor, ConductorOptions, Control, LoadResult};
use loadgen::executor::schedule::Stripe;

use super::phase;
use super::shop::targets;

const PHASE: &str = r#"
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 1
duration = "1s"
preAllocatedVUs = 1
[thresholds]
"orders_created" = ["count>=5"]
"#;

const READY: &str = r#"read plan; echo '{"ready":true}'; read start;"#;

fn snapshot(millis: u64, orders: u64) -> String {
    format!(
        r#"echo '{{"snapshot":{{"from_ms":0,"to_ms":{millis},"series":[{{"metric":"orders_created","delta":{{"counter":{orders}}}}}]}}}}';"#
    )
}

async fn conduct(script: &str, shards: u32) -> anyhow::Result<Conductor> {
    let folder = tempfile::tempdir().unwrap();
    Conductor::start(ConductorOptions {
        command: ["sh", "-c", script].map(Into::into).to_vec(),
        phase: phase(PHASE),
        targets: targets("http://127.0.0.1:1", "127.0.0.1:1"),
        given: Vec::new(),
        journal_dir: folder.path().to_owned(),
        seed: 1,
        shards,
        segment: Stripe::WHOLE,
        paused: false,
    })
    .await
}

async fn finish(script: &str, shards: u32) -> anyhow::Result<LoadResult> {
    let conductor = conduct(script, shards).await?;
    tokio::time::timeout(Duration::from_secs(30), conductor.finish()).await.unwrap()
}

#[tokio::test]
async fn what_all_shards_tell_is_merged_and_judged() {
    let script = format!("{READY} {} echo '{{\"finished\":true}}'", snapshot(500, 3));
    let result = finish(&script, 2).await.unwrap();
    assert!(result.thresholds[0].ok);
    assert_eq!(result.thresholds[0].value, Some(6.0));
    assert!(result.validity.valid);
    let alone = finish(&script, 1).await.unwrap();
    assert!(!alone.thresholds[0].ok, "3 are fewer than 5");
}

#[tokio::test]
async fn a_shard_that_dies_or_gives_up_is_a_clear_error() {
    let died = finish(&format!("{READY} exit 3"), 1).await.unwrap_err();
    assert!(died.to_string().contains("load shard 0 died"), "{died}");
    let failed = format!("{READY} echo '{{\"failed\":\"no disk\"}}'");
    let failed = finish(&failed, 1).await.unwrap_err();
    assert!(failed.to_string().contains("no disk"), "{failed}");
    let early = finish("read plan; exit 1", 1).await.unwrap_err();
    assert!(early.to_string().contains("before it was ready"), "{early}");
    let unprepared = finish(r#"read plan; echo '{"failed":"no broker"}'"#, 1).await.unwrap_err();
    assert!(unprepared.to_string().contains("no broker"), "{unprepared}");
}

#[tokio::test]
async fn stop_reaches_the_shards_and_still_gives_a_result() {
    let script = format!("{READY} read stop; {} echo '{{\"finished\":true}}'", snapshot(700, 9));
    let conductor = conduct(&script, 1).await.unwrap();
    assert_eq!(conductor.pids().len(), 1);
    conductor.control(Control::Stop);
    let result = tokio::time::timeout(Duration::from_secs(30), conductor.finish()).await.unwrap();
    let result = result.unwrap();
    assert!(result.stopped);
    assert_eq!(result.thresholds[0].value, Some(9.0));
}

#[tokio::test]
async fn a_conductor_that_goes_takes_its_shards_along() {
    let conductor = conduct(&format!("{READY} exec sleep 600"), 1).await.unwrap();
    let pid = conductor.pids()[0];
    drop(conductor);
    // Until it is reaped it is a zombie, which has no command line any more.
    let alive = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    tokio::time::timeout(Duration::from_secs(30), async {
        while alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the shard ends");
}
