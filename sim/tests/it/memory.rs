//! What attackers can make the broker take: measured on a process of its own, by its peak.

use kafka_protocol::messages as m;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::process::BrokerProcess;
use crate::requests;
use crate::wire::{Wire, frame_of};

const MIB: usize = 1 << 20;
/// What the broker itself takes, and what the system's allocator loses between blocks of many sizes.
const EMPTY_BROKER: usize = 64 * MIB;

/// `None` where the system does not tell.
fn peak(broker: &BrokerProcess) -> Option<usize> {
    let peak = broker.peak_memory();
    if peak.is_none() {
        println!("SKIPPED: this system does not tell how much memory a process takes");
    }
    peak
}

#[tokio::test]
async fn requests_under_way_take_no_more_than_they_may() {
    const IN_FLIGHT: usize = 64 * MIB;
    let limit = IN_FLIGHT.to_string();
    let arguments = ["--max-in-flight-bytes", &limit, "--transfer-timeout-ms", "200"];
    let broker = BrokerProcess::start_on("127.0.0.1:0", None, &arguments);
    let mut attackers = Vec::new();
    for _ in 0..40 {
        let mut wire = Wire::connect(broker.address).await;
        // 16 MB announced, all but the last of them sent, or as many as the broker takes.
        let mut frame = (16 * MIB as u32).to_be_bytes().to_vec();
        frame.resize(16 * MIB, 0);
        wire.start_sending(frame);
        attackers.push(wire);
    }
    // The first ones stand still and are given up for the next ones: the last one's turn comes when
    // 640 MB were sent.
    for wire in &mut attackers {
        assert_eq!(wire.receive_frame().await, None);
    }
    let Some(peak) = peak(&broker) else { return };
    assert!(peak < EMPTY_BROKER + IN_FLIGHT, "{} MiB", peak / MIB);
    Wire::connect(broker.address).await.call(0, &m::ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn small_requests_have_no_huge_responses() {
    let broker = BrokerProcess::start_on("127.0.0.1:0", None, &[]);
    let mut wire = Wire::connect(broker.address).await;
    // A group whose offset carries as much text as it may.
    let note = "n".repeat(4_000);
    let mut commit = requests::offset_commit(2);
    commit.topics[0].partitions[0].committed_metadata = Some(note.into());
    wire.call(1, &requests::metadata(1)).await;
    wire.call(2, &commit).await;
    // Each thing as often as one request can name it.
    let mut offsets = requests::offset_fetch(1);
    if let Some(topics) = &mut offsets.topics {
        topics[0].partition_indexes = vec![0; 90_000];
    }
    wire.call(1, &offsets).await;
    let mut metadata = requests::metadata(1);
    metadata.topics = metadata.topics.map(|topics| vec![topics[0].clone(); 90_000]);
    wire.call(1, &metadata).await;
    wire.call(0, &requests::describe_groups(0).with_groups(vec![requests::group(); 90_000])).await;
    let mut configs = requests::describe_configs(1);
    configs.resources[0].resource_name = requests::topic().0;
    configs.resources[0].configuration_keys = None;
    configs.resources = vec![configs.resources[0].clone(); 90_000];
    wire.call(1, &configs).await;
    let mut log_dirs = requests::describe_log_dirs(1);
    log_dirs.topics = log_dirs.topics.map(|topics| vec![topics[0].clone(); 40_000]);
    wire.call(1, &log_dirs).await;
    let mut producers = requests::describe_producers(0);
    producers.topics[0].partition_indexes = vec![0; 90_000];
    wire.call(0, &producers).await;
    let mut offsets = requests::list_offsets(1);
    offsets.topics[0].partitions = vec![offsets.topics[0].partitions[0].clone(); 90_000];
    let refused = wire.call(1, &offsets).await;
    assert_eq!(refused.topics[0].partitions[0].error_code, 42, "as Kafka refuses it");
    let Some(peak) = peak(&broker) else { return };
    assert!(peak < EMPTY_BROKER + 64 * MIB, "{} MiB", peak / MIB);
}

#[tokio::test]
async fn five_thousand_idle_connections_cost_little_and_are_all_still_served() {
    const CONNECTIONS: usize = 5_000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if most < CONNECTIONS as u64 + 1_000 {
        println!("SKIPPED: this system allows a process {most} descriptors only");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let broker = BrokerProcess::start_on("127.0.0.1:0", None, &[]);
    let before = broker.peak_memory().unwrap_or_default();
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for at in 0..CONNECTIONS {
        let mut wire = Wire::connect(broker.address).await;
        match at % 3 {
            // One says nothing, one has said something once, one is in the middle of a request.
            0 => {}
            1 => drop(wire.call(0, &m::ApiVersionsRequest::default()).await),
            _ => wire.send_bytes(&frame_of(0, 1, &m::ApiVersionsRequest::default())[..7]).await,
        }
        idle.push(wire);
    }
    let mut other = Wire::connect(broker.address).await;
    other.call(0, &m::ApiVersionsRequest::default()).await;
    if let Some(peak) = peak(&broker) {
        let each = (peak - before) / CONNECTIONS;
        assert!(each < 20 * 1024, "an idle connection takes {each} bytes");
    }
    for (at, wire) in idle.iter_mut().enumerate() {
        match at % 3 {
            2 => {
                wire.send_bytes(&frame_of(0, 1, &m::ApiVersionsRequest::default())[7..]).await;
                wire.receive::<m::ApiVersionsRequest>(0).await;
            }
            _ => drop(wire.call(0, &m::ApiVersionsRequest::default()).await),
        }
    }
}
