//! What attackers cost a client that behaves: `cargo run --release -p sim --example hostile`. A client
//! sends one small produce request after another and notes how long each takes: alone, then among
//! attackers of every kind, then alone again, all in one run against one broker in a process of its own.

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::{BufMut, Bytes, BytesMut};
use clap::Parser;
use kafka_protocol::messages as m;
use kafka_protocol::messages::{RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PRODUCE: i16 = 9;
const FETCH: i16 = 11;
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    broker: sim::BrokerArgs,
    /// Run as the broker: what this program starts itself for
    #[arg(long, hide = true)]
    serve: bool,
    /// Run as the attackers
    #[arg(long, hide = true)]
    attack: Option<SocketAddr>,
    /// What the attackers do
    #[arg(long, hide = true, default_value = "")]
    kind: String,
    /// Seconds for each part
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Connections that do nothing
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// Attackers of each other kind
    #[arg(long, default_value_t = 20)]
    each: usize,
}

impl Arguments {
    fn count(&self, kind: &str) -> usize {
        if kind == IDLE { self.idle } else { self.each }
    }
}

type Attack = fn(SocketAddr) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

const IDLE: &str = "say nothing";
/// What attackers do, each again and again.
const ATTACKS: &[(&str, Attack)] = &[
    (IDLE, |address| Box::pin(idle(address))),
    ("take no answer", |address| Box::pin(deaf(address))),
    ("stop in mid-request", |address| Box::pin(stuck(address))),
    ("send byte by byte", |address| Box::pin(drip(address))),
    ("ask by the thousand", |address| Box::pin(flood(address))),
    ("send nonsense and go", |address| Box::pin(rubbish(address))),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.serve {
        return sim::run(arguments.broker).await;
    }
    raise_descriptor_limit()?;
    if let Some(address) = arguments.attack {
        return attack(address, &arguments.kind, arguments.each).await;
    }
    let (mut broker, address) = start_broker()?;
    let mut client = Client::connect(address).await?;
    client.fill().await?;
    let time = Duration::from_secs(arguments.seconds);
    report("alone", client.measure(time).await?, &broker);
    let mut attackers = Vec::new();
    let everything = ATTACKS.iter().map(|(name, _)| *name).chain(["all of them"]);
    for name in everything {
        // The last row is of all kinds at once, beside connections that do nothing.
        let kinds: Vec<&str> = if name == "all of them" {
            ATTACKS.iter().map(|(name, _)| *name).collect()
        } else {
            vec![name]
        };
        for kind in kinds {
            let (address, count) = (address.to_string(), arguments.count(kind).to_string());
            attackers.push(start(&["--attack", &address, "--kind", kind, "--each", &count])?);
        }
        report(name, client.measure(time).await?, &broker);
        for mut attacker in attackers.drain(..) {
            attacker.kill()?;
            attacker.wait()?;
        }
    }
    report("alone again", client.measure(time).await?, &broker);
    broker.kill()?;
    Ok(())
}

/// Attacks until it is killed: in a process of its own, so that its work is not the client's waiting.
async fn attack(address: SocketAddr, kind: &str, count: usize) -> anyhow::Result<()> {
    let attack = ATTACKS.iter().find(|(name, _)| *name == kind).context("no such attack")?.1;
    let mut attackers = JoinSet::new();
    for _ in 0..count {
        attackers.spawn(async move {
            loop {
                // A connection that the broker has closed ends an attack, and the next one begins.
                let _ = attack(address).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    std::future::pending().await
}

/// Ten thousand sockets are more than most systems' soft limit.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// This program, in another part.
fn start(arguments: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command.stderr(Stdio::null()).spawn()?)
}

fn start_broker() -> anyhow::Result<(Child, SocketAddr)> {
    let mut broker = start(&["--serve", "--listen", "127.0.0.1:0", "--exit-with-parent"])?;
    let mut ready = String::new();
    if let Some(stdout) = broker.stdout.take() {
        BufReader::new(stdout).read_line(&mut ready)?;
    }
    let address = ready.split('"').nth(7).unwrap_or_default().parse()?;
    Ok((broker, address))
}

fn report(name: &str, mut latencies: Vec<Duration>, broker: &Child) {
    latencies.sort_unstable();
    let at = |part: f64| latencies[(part * (latencies.len() - 1) as f64) as usize];
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", broker.id())).unwrap_or_default();
    let memory =
        |name| status.lines().find_map(|line: &str| line.strip_prefix(name)).unwrap_or("?");
    println!(
        "{name:<24} {:>6} requests, median {:>9.1?}, p99 {:>9.1?}, longest {:>9.1?}; broker: {} now, {} at most",
        latencies.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        memory("VmRSS:").trim(),
        memory("VmHWM:").trim(),
    );
}

/// The client that behaves.
struct Client {
    stream: TcpStream,
}

impl Client {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    async fn call(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(frame).await?;
        let mut response = vec![0; self.stream.read_u32().await? as usize];
        self.stream.read_exact(&mut response).await?;
        Ok(())
    }

    /// Makes the topic, and something in it that is worth fetching.
    async fn fill(&mut self) -> anyhow::Result<()> {
        let wanted = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
        self.call(&frame(4, &m::MetadataRequest::default().with_topics(Some(vec![wanted])))?)
            .await?;
        for _ in 0..8 {
            self.call(&produce(0, 900_000)?).await?;
        }
        Ok(())
    }

    async fn measure(&mut self, time: Duration) -> anyhow::Result<Vec<Duration>> {
        let produce = produce(1, 300)?;
        let mut latencies = Vec::new();
        let started = Instant::now();
        while started.elapsed() < time {
            let sent = Instant::now();
            self.call(&produce).await?;
            latencies.push(sent.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        Ok(latencies)
    }
}

/// Connects and says nothing.
async fn idle(address: SocketAddr) -> anyhow::Result<()> {
    TcpStream::connect(address).await?.read_u8().await?;
    Ok(())
}

/// Asks for everything and takes nothing.
async fn deaf(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    let all = fetch()?.repeat(100);
    socket.write_all(&all).await?;
    // Nothing is read, and so only the broker's end ends it.
    while socket.write_all(&all).await.is_ok() {}
    Ok(())
}

/// Begins a large request and stands still.
async fn stuck(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&(100u32 << 20).to_be_bytes()).await?;
    socket.write_all(&vec![0; 16 << 20]).await?;
    socket.read_u8().await?;
    Ok(())
}

/// Sends a request byte by byte.
async fn drip(address: SocketAddr) -> anyhow::Result<()> {
    let mut client = Client::connect(address).await?;
    for byte in produce(0, 300)? {
        client.stream.write_all(&[byte]).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Sends requests as fast as it can, by the thousand, and takes the responses.
async fn flood(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    let all = frame(0, &m::ApiVersionsRequest::default())?.repeat(1_000);
    let mut taken = vec![0; 64 * 1024];
    for _ in 0..10 {
        socket.write_all(&all).await?;
        let _ = socket.read(&mut taken).await?;
    }
    Ok(())
}

/// Sends nonsense, and goes.
async fn rubbish(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    let mut fetch = fetch()?.to_vec();
    let at = fetch.len() / 2;
    fetch[at..].fill(0xff);
    socket.write_all(&fetch).await?;
    socket.read_u8().await?;
    Ok(())
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn produce(partition: i32, value_bytes: usize) -> anyhow::Result<Bytes> {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: 1_000,
        key: None,
        value: Some(Bytes::from(vec![b'v'; value_bytes])),
        headers: Default::default(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &[record], &options)?;
    let data = PartitionProduceData::default().with_index(partition);
    let data = data.with_records(Some(batch.freeze()));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    frame(PRODUCE, &m::ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]))
}

fn fetch() -> anyhow::Result<Bytes> {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 30);
    let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    frame(FETCH, &m::FetchRequest::default().with_max_bytes(1 << 30).with_topics(vec![wanted]))
}

/// A whole frame, with its size.
fn frame<R: Request>(version: i16, request: &R) -> anyhow::Result<Bytes> {
    let mut body = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("hostile")))
        .encode(&mut body, R::header_version(version))?;
    request.encode(&mut body, version)?;
    let mut frame = BytesMut::new();
    frame.put_u32(body.len() as u32);
    frame.extend_from_slice(&body);
    Ok(frame.freeze())
}
