//! Directories that cannot be used, files that are damaged, disks that are full.

use std::path::Path;
use std::process::Command;

use super::{STORAGE_ERROR, commit_request, create_topic, fetch, produce, values};
use crate::process::{BrokerProcess, text};
use crate::wire::{Wire, batch};

#[tokio::test]
async fn a_second_broker_on_one_directory_says_so_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", text(directory.path())];
    let broker = BrokerProcess::start(&arguments);
    let second = BrokerProcess::fail(&arguments);
    assert_eq!(second.status.code(), Some(104));
    assert_eq!(second.errors.trim().lines().count(), 1, "{}", second.errors);
    assert!(second.errors.contains("is used by another broker"), "{}", second.errors);
    broker.kill();
    BrokerProcess::start(&arguments);
}

#[tokio::test]
async fn what_cannot_be_a_data_directory_is_said_in_one_line_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("holiday.jpg");
    std::fs::write(&file, "pixels").unwrap();
    for (path, why) in [(directory.path(), "no data directory"), (&file, "cannot use")] {
        let ended = BrokerProcess::fail(&["--data-dir", text(path)]);
        assert_eq!(ended.status.code(), Some(104));
        assert_eq!(ended.errors.trim().lines().count(), 1, "{}", ended.errors);
        assert!(ended.errors.contains(why), "{}", ended.errors);
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn damage_is_reported_with_file_and_byte() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", text(directory.path())];
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    create_topic(&mut wire, &[]).await;
    for value in ["a", "b", "c"] {
        produce(&mut wire, 0, &[value]).await;
    }
    produce(&mut wire, 1, &["elsewhere"]).await;
    broker.kill();
    let one = batch(&["a"], -1, -1).len();
    let damaged =
        segments(directory.path()).into_iter().max_by_key(|path| path.metadata().unwrap().len());
    let damaged = damaged.unwrap();
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[one + one / 2] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let errors = elsewhere.path().join("errors");
    let broker = BrokerProcess::start_under(
        &["sh", "-c", &format!("exec \"$0\" \"$@\" 2> {}", text(&errors))],
        &arguments,
    );
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(fetch(&mut wire, 0, 0).await.records.unwrap().len(), one);
    assert_eq!(fetch(&mut wire, 0, 1).await.error_code, STORAGE_ERROR);
    assert_eq!(produce(&mut wire, 0, &["d"]).await, STORAGE_ERROR);
    assert_eq!(values(&mut wire, 1).await, ["elsewhere"]);
    let errors = std::fs::read_to_string(errors).unwrap();
    let expected = format!("{}: damaged at byte {one}", text(&damaged));
    assert!(errors.contains(&expected), "{errors}");
}

/// Fills the disk, by whatever means, and makes room again.
async fn full_disk(wire: &mut Wire, make_room: impl AsyncFnOnce()) {
    let value = "x".repeat(10_000);
    let mut stored = 0;
    loop {
        match produce(wire, 0, &[&value]).await {
            0 => stored += 1,
            STORAGE_ERROR => break,
            other => panic!("error {other}"),
        }
        assert!(stored < 1_000, "never full");
    }
    assert_eq!(values(wire, 0).await.len(), stored, "reads go on");
    make_room().await;
    assert_eq!(produce(wire, 0, &["again"]).await, 0);
    assert_eq!(wire.call(8, &commit_request(0, 1)).await.topics[0].partitions[0].error_code, 0);
    let found = values(wire, 0).await;
    assert_eq!((found.len(), found.last().unwrap().as_str()), (stored + 1, "again"));
}

#[tokio::test]
async fn a_file_that_may_not_grow_is_a_storage_error_until_it_may() {
    if !Command::new("prlimit").arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("skipped: there is no prlimit here");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", text(directory.path())];
    // Its log is a file that may not grow either, as on a disk that is full for both.
    let elsewhere = tempfile::tempdir().unwrap();
    let log = elsewhere.path().join("log");
    std::fs::write(&log, vec![b'\n'; 65536]).unwrap();
    let limited = format!("exec prlimit --fsize=65536:unlimited \"$0\" \"$@\" 2>> {}", text(&log));
    let broker = BrokerProcess::start_under(&["sh", "-c", &limited], &arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(create_topic(&mut wire, &[]).await, 0);
    let id = broker.id().to_string();
    full_disk(&mut wire, async || {
        let raised = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &id]).status();
        assert!(raised.unwrap().success());
    })
    .await;
    broker.kill();
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(values(&mut wire, 0).await.last().unwrap(), "again");
}

/// A small file system, while it is mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Needs to be root; `None` elsewhere.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(directory.path())
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_a_storage_error_until_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: only root may mount a small file system");
        return;
    };
    let filler = disk.0.path().join("lost+found");
    std::fs::write(&filler, vec![1; 200_000]).unwrap();
    let arguments = ["--data-dir", text(disk.0.path()), "--fsync", "always"];
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(create_topic(&mut wire, &[]).await, 0);
    full_disk(&mut wire, async || std::fs::remove_file(&filler).unwrap()).await;
    broker.kill();
    let broker = BrokerProcess::start(&arguments);
    let mut wire = Wire::connect(broker.address).await;
    assert_eq!(values(&mut wire, 0).await.last().unwrap(), "again");
    broker.kill();
}

#[test]
fn kafkas_own_dump_reads_the_segments() {
    let Ok(jars) = std::env::var("KAFKA_TOOLS_CLASSPATH") else {
        println!("skipped: KAFKA_TOOLS_CLASSPATH names no directory of jars");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let broker = BrokerProcess::start(&["--data-dir", text(directory.path())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut wire = Wire::connect(broker.address).await;
        create_topic(&mut wire, &[]).await;
        produce(&mut wire, 0, &["apples", "pears"]).await;
        produce(&mut wire, 0, &["plums"]).await;
    });
    let segment = segments(directory.path()).pop().unwrap();
    let output = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-cp", &format!("{jars}/*")])
        .args(["kafka.tools.DumpLogSegments", "--deep-iteration", "--print-data-log"])
        .args(["--files", text(&segment)])
        .output()
        .expect("java starts");
    let dump = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (offset, value) in [(0, "apples"), (1, "pears"), (2, "plums")] {
        let found = dump.lines().any(|line| {
            line.contains(&format!("offset: {offset} "))
                && line.contains(&format!("payload: {value}"))
        });
        assert!(found, "{offset} {value} in {dump}");
    }
    assert!(dump.contains("isvalid: true") && !dump.contains("isvalid: false"), "{dump}");
}
