//! A running broker.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::broker_config::BrokerConfig;
use crate::clock::Clock;
use crate::config::Refusal;
use crate::core::Settings;
use crate::hub::{Hub, Session, host_and_port};
use crate::rng::Rng;
use crate::server::{self, ServerOptions};

/// How to run a broker. The defaults suit a test: a free port, nothing kept longer than the broker.
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
    /// The largest request, in bytes.
    pub max_frame_bytes: usize,
    /// Connections at a time; one too many is closed at once.
    pub max_connections: usize,
    /// Settings by Kafka's names, as in its `server.properties`: `("auto.create.topics.enable",
    /// "false")`. They win over the fields above.
    pub config: Vec<(String, String)>,
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
            max_connections: 10_000,
            config: Vec::new(),
            seed: None,
        }
    }
}

/// A broker with a thread and a runtime of its own, so it runs the same under any runtime or none.
/// One thread is the leanest: the core is one lock that nobody ever contends for. Dropping the
/// broker stops it.
pub struct Broker {
    address: SocketAddr,
    hub: Arc<Hub>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Broker {
    /// Binds and starts to serve.
    ///
    /// # Errors
    /// A setting is unknown or unsound, the address cannot be bound, or the thread not be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = bind(options.listen)?;
        let address = listener.local_addr()?;
        let settings = Settings {
            config: config(&options, address)
                .map_err(|(_, why)| io::Error::new(io::ErrorKind::InvalidInput, why))?,
            seed: options.seed.unwrap_or_else(Rng::fresh_seed),
        };
        let server_options = ServerOptions {
            advertise: options.advertise,
            max_frame_bytes: options.max_frame_bytes,
            max_connections: options.max_connections,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let hub = Hub::new(&settings, Clock::start());
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
    config.state("max.connections", &options.max_connections.to_string())?;
    config.state("num.partitions", &options.partitions.max(1).to_string())?;
    config.state("socket.request.max.bytes", &options.max_frame_bytes.to_string())?;
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

/// Waiting connections per listener, before they are accepted.
const BACKLOG: i32 = 1024;

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    // A restart gets its port back although old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
        () = hub.run_timer() => {}
        () = server::serve(listener, hub.clone(), options) => {}
    }
}
