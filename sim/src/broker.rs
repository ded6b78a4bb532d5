//! A running broker.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::broker_config::BrokerConfig;
use crate::budget::LARGEST_PART;
use crate::clock::{Clock, Now};
use crate::config::Refusal;
use crate::connections::ConnectionLimits;
use crate::core::{Core, Settings};
use crate::disk::{Disk, Fsync};
use crate::hub::{Hub, Session, host_and_port};
use crate::pulse::Patience;
use crate::rng::Rng;
use crate::server::{self, ServerOptions};

/// What a power cut may take when nothing else was asked for.
pub(crate) const DEFAULT_FSYNC_INTERVAL: Duration = Duration::from_millis(100);

/// How to run a broker. The defaults suit a test: a free port, nothing kept longer than the broker.
///
/// ```
/// let options = sim::Options { partitions: 1, ..sim::Options::default() };
/// let broker = sim::Broker::start_with(options)?;
/// assert!(broker.address().ip().is_loopback());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Host and port that clients are told to connect to; `None` tells each client the address at
    /// which it reached the broker.
    pub advertise: Option<(String, u16)>,
    /// Partitions of topics that are created without a number: at least 1.
    pub partitions: usize,
    /// Bytes that each partition keeps; `None` keeps all.
    pub retention_bytes: Option<u64>,
    /// Age up to which batches are kept; `None` keeps all.
    pub retention: Option<Duration>,
    /// The largest request, in bytes; never more than a quarter of `max_in_flight_bytes`.
    pub max_frame_bytes: usize,
    /// Memory for requests that are still arriving and responses that clients have not taken, of all
    /// connections together. When it is used up, connections are not read until there is room.
    pub max_in_flight_bytes: usize,
    /// Connections at a time; one too many is closed at once.
    pub max_connections: usize,
    /// Settings by Kafka's names, as in its `server.properties`: `("auto.create.topics.enable",
    /// "false")`. They win over the fields above.
    pub config: Vec<(String, String)>,
    /// Where everything is kept; `None` keeps it in memory, and a stopped broker forgets.
    pub data_dir: Option<PathBuf>,
    /// When what is written to the data directory is synced.
    pub fsync: Fsync,
    /// Connections at a time from one address.
    pub max_connections_per_address: usize,
    /// After this long without a request a connection is closed.
    pub max_idle: Duration,
    /// In this time a request has to arrive and a response to be taken, or at least 64 KB of it and
    /// an eighth; the connection of a slower client is closed.
    pub transfer_timeout: Duration,
    /// Where ids come from; `None` makes them different in every run.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertise: None,
            partitions: 4,
            retention_bytes: None,
            retention: None,
            max_frame_bytes: 128 * 1024 * 1024,
            max_in_flight_bytes: 512 * 1024 * 1024,
            max_connections: 10_000,
            config: Vec::new(),
            data_dir: None,
            fsync: Fsync::Interval(DEFAULT_FSYNC_INTERVAL),
            max_connections_per_address: usize::MAX,
            max_idle: Duration::from_secs(10 * 60),
            transfer_timeout: Duration::from_secs(30),
            seed: None,
        }
    }
}

/// A broker with a thread and a runtime of its own, so it runs the same under any runtime or none.
/// One thread is the leanest: the core is one lock that nobody ever contends for. Dropping the
/// broker stops it.
///
/// ```
/// let broker = sim::Broker::start()?;
/// println!("bootstrap.servers={}", broker.address());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Broker {
    address: SocketAddr,
    hub: Arc<Hub>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Broker {
    /// Starts to serve on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port can be bound, or the thread not be started.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Options::default())
    }

    /// Binds and starts to serve.
    ///
    /// # Errors
    /// A setting is unknown or unsound, the data directory cannot be used, the address not be bound,
    /// or the thread not be started.
    pub fn start_with(options: Options) -> io::Result<Self> {
        let socket = bind(options.listen).map_err(|error| {
            let listen = options.listen;
            io::Error::new(error.kind(), format!("the broker cannot listen on {listen}: {error}"))
        })?;
        let address = address_of(&socket)?;
        let settings = Settings {
            config: config(&options, address)
                .map_err(|(_, why)| io::Error::new(io::ErrorKind::InvalidInput, why))?,
            seed: options.seed.unwrap_or_else(Rng::fresh_seed),
        };
        let server_options = ServerOptions {
            advertise: options.advertise,
            max_frame_bytes: options.max_frame_bytes,
            max_in_flight_bytes: options.max_in_flight_bytes,
            connections: ConnectionLimits {
                in_all: options.max_connections,
                per_address: options.max_connections_per_address,
                patience: Patience::new(options.max_idle, options.transfer_timeout),
            },
        };
        let (wake, clock) = (Arc::new(Notify::new()), Clock::start());
        let core = match &options.data_dir {
            None => Core::new(&settings),
            Some(directory) => recover(&settings, directory, options.fsync, (&wake, clock.now()))?,
        };
        // Not before there is somebody to answer: until then clients are refused, not kept waiting.
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let hub = Hub::new(core, clock, wake);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("broker".to_owned()).spawn({
            let hub = hub.clone();
            move || runtime.block_on(serve(listener, hub, server_options, stopped))
        })?;
        Ok(Self { address, hub, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a line to this broker that needs no socket.
    pub fn session(&self) -> Session {
        self.hub.open("in-process".to_owned(), &host_and_port(self.address))
    }

    /// Stops it: connections are closed and the port is free when this returns.
    pub async fn stop(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // Joined where it may block; a panic of the thread has ended it just as well.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What clients are shown of the options, and what they hold topics, groups and producers to.
fn config(options: &Options, address: SocketAddr) -> Result<BrokerConfig, Refusal> {
    let mut config = BrokerConfig::default();
    let (host, port) = options.advertise.clone().unwrap_or_else(|| host_and_port(address));
    config.state("advertised.listeners", &format!("PLAINTEXT://{host}:{port}"))?;
    config.state("listeners", &format!("PLAINTEXT://{address}"))?;
    let max_idle_ms = i64::try_from(options.max_idle.as_millis()).unwrap_or(i64::MAX);
    config.state("connections.max.idle.ms", &max_idle_ms.to_string())?;
    let shown = |connections: usize| connections.min(i32::MAX as usize).to_string();
    config.state("max.connections", &shown(options.max_connections))?;
    config.state("max.connections.per.ip", &shown(options.max_connections_per_address))?;
    config.state("num.partitions", &options.partitions.max(1).to_string())?;
    let max_frame_bytes = options.max_frame_bytes.min(options.max_in_flight_bytes / LARGEST_PART);
    config.state("socket.request.max.bytes", &max_frame_bytes.to_string())?;
    if let Some(directory) = &options.data_dir {
        config.state("log.dirs", &directory.to_string_lossy())?;
    }
    if let Some(age) = options.retention {
        config.state("log.retention.ms", &age.as_millis().to_string())?;
    }
    if let Some(bytes) = options.retention_bytes {
        config.state("log.retention.bytes", &bytes.to_string())?;
    }
    for (name, value) in &options.config {
        config.start_with(name, value)?;
    }
    Ok(config)
}

/// A core that goes on where the last one in this directory ended.
fn recover(
    settings: &Settings,
    directory: &Path,
    fsync: Fsync,
    (wake, now): (&Arc<Notify>, Now),
) -> io::Result<Core> {
    let wake = wake.clone();
    let opened = Disk::open(directory, fsync, Box::new(move || wake.notify_one()));
    let (disk, metadata) = opened.map_err(io::Error::other)?;
    Core::recover(settings, Box::new(disk), metadata, now)
        .map_err(|_| io::Error::other(format!("{} cannot be read", directory.display())))
}

/// Waiting connections per listener, before they are accepted.
const BACKLOG: i32 = 1024;
/// What the kernel keeps of a connection's requests. By itself it would begin with less than one full batch,
/// so that the first ones of every connection came in pieces, and end with 32 MB of one that is not read.
const RECEIVE_BUFFER_BYTES: usize = 1024 * 1024;

fn bind(address: SocketAddr) -> io::Result<socket2::Socket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    // A restart gets its port back although old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Connections inherit it; a system that grants less is served all the same.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket)
}

fn address_of(socket: &socket2::Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::Error::other("the listener has no address"))
}

async fn serve(
    listener: TcpListener,
    hub: Arc<Hub>,
    options: ServerOptions,
    stopped: oneshot::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the listener cannot be used");
            return;
        }
    };
    tokio::select! {
        biased;
        _ = stopped => {}
        () = keep_time(&hub) => {}
        () = server::serve(listener, hub.clone(), options) => {}
    }
    hub.close_storage();
}

/// Pause after a panic of the timer, which may well do the same again.
const TIMER_RETRY: Duration = Duration::from_millis(50);

/// Lets time pass. Like a connection's, a panic here ends what caused it and not the broker.
async fn keep_time(hub: &Arc<Hub>) {
    loop {
        let hub = hub.clone();
        if let Err(error) = tokio::spawn(async move { hub.run_timer().await }).await {
            tracing::error!(%error, "the timer failed and is started again");
        }
        tokio::time::sleep(TIMER_RETRY).await;
    }
}
