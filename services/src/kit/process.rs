//! The life of a service's process: its listeners, its health, and the order in which it ends.
//!
//! A service has two doors. The public one serves what the specification says; the other is for those
//! who run the shop (metrics, replay, stuck orders), and listens on loopback only.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use contract::process::{Ready, port::MANAGEMENT_OFFSET};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::health::Health;
use super::http::{bind, management, router, serve};
use super::metrics::Scrape;
use super::shutdown::Shutdown;
use super::trace::{Exporter, TraceArgs};

/// Where management listens: never further than this machine.
const LOOPBACK: &str = "127.0.0.1";

/// Where a process listens, and when it ends.
#[derive(Debug, Clone, clap::Args)]
pub struct ProcessArgs {
    /// Address to listen on for HTTP.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 picks a free one [default: the service's known port].
    #[arg(long, env = "PORT")]
    pub port: Option<u16>,
    /// Port for metrics and management, on 127.0.0.1 only; 0 picks a free one
    /// [default: 1000 above the service's known port; with --port 0, any].
    #[arg(long, env = "MANAGEMENT_PORT")]
    pub management_port: Option<u16>,
    #[command(flatten)]
    pub trace: TraceArgs,
    /// Stop when standard input closes.
    #[arg(long)]
    pub exit_with_parent: bool,
}

impl ProcessArgs {
    fn ports(&self, known: u16) -> (u16, u16) {
        let port = self.port.unwrap_or(known);
        let management = if port == 0 { 0 } else { known.saturating_add(MANAGEMENT_OFFSET) };
        (port, self.management_port.unwrap_or(management))
    }
}

/// A process that listens, and does not serve yet.
pub(crate) struct Process {
    pub(crate) clock: Clock,
    pub(crate) shutdown: Shutdown,
    pub(crate) health: Arc<Health>,
    name: &'static str,
    listener: TcpListener,
    management: TcpListener,
    scrape: Scrape,
    exporter: Option<Exporter>,
}

/// What is served, and at which door.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) public: Router,
    /// Around everything public, the errors for unknown paths among it.
    pub(crate) origins: Option<super::http::AllowedOrigins>,
    /// The bounds of the public door.
    pub(crate) door: super::http::Door,
    pub(crate) management: Router,
}

impl Process {
    /// Opens both doors. The ports come first: an occupied one shows at once, and health can be asked
    /// from the start.
    ///
    /// # Errors
    /// When a port is occupied, or the operating system refuses a signal handler.
    pub(crate) async fn begin(
        name: &'static str,
        known_port: u16,
        args: &ProcessArgs,
        health: impl FnOnce(&'static str, Clock) -> Arc<Health>,
    ) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let shutdown = Shutdown::install(args.exit_with_parent)?;
        let (port, management_port) = args.ports(known_port);
        let listener = bind(&args.host, port).await?;
        let management =
            bind(LOOPBACK, management_port).await.context("the port for management")?;
        let scrape = Scrape::install()?;
        let address = listener.local_addr().context("the listener has no address")?;
        let exporter = args.trace.install(name, &address.to_string())?;
        let health = health(name, clock.clone());
        Ok(Self { clock, shutdown, health, name, listener, management, scrape, exporter })
    }

    /// Serves both doors from now on.
    ///
    /// # Errors
    /// When a listener has lost its address.
    pub(crate) fn serve(self, routes: Routes) -> anyhow::Result<Serving> {
        let Self { clock, shutdown, health, name, listener, management: inner, .. } = self;
        let (scrape, exporter) = (self.scrape, self.exporter);
        let address =
            |listener: &TcpListener| listener.local_addr().context("the listener has no address");
        let announcement =
            Announcement { name, address: address(&listener)?, management: address(&inner)? };
        let mut public = router(Arc::clone(&health), routes.public, clock.clone());
        if let Some(origins) = routes.origins {
            public = public.layer(origins.layer());
        }
        let managed = routes.management.merge(management::routes(scrape.clone()));
        let managed = router(Arc::clone(&health), managed, clock.clone());
        let mut servers = JoinSet::new();
        servers.spawn(serve(listener, routes.door, public, clock.clone(), shutdown.clone()));
        servers.spawn(serve(inner, super::http::Door::default(), managed, clock, shutdown.clone()));
        let upkeep = tokio::spawn(scrape.upkeep());
        Ok(Serving { shutdown, health, announcement, servers, upkeep, exporter })
    }
}

/// A process that serves.
pub(crate) struct Serving {
    shutdown: Shutdown,
    health: Arc<Health>,
    pub(crate) announcement: Announcement,
    servers: JoinSet<()>,
    upkeep: tokio::task::JoinHandle<()>,
    exporter: Option<Exporter>,
}

impl Serving {
    /// Works until `work` ends or the shutdown begins, whichever comes first, and ends in order.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn run(
        self,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let worked = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Ok(()),
            worked = work => worked,
        };
        self.end().await;
        worked
    }

    /// Begins the shutdown, and returns when the last request has been answered.
    pub(crate) async fn end(mut self) {
        self.health.set_stopping();
        self.shutdown.begin();
        while self.servers.join_next().await.is_some() {}
        self.upkeep.abort();
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
    }
}

/// What a service says to the process that started it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcement {
    name: &'static str,
    address: SocketAddr,
    management: SocketAddr,
}

impl Announcement {
    /// Prints the one line that says that the service does its work from now on, and where.
    ///
    /// # Errors
    /// When standard output is closed: nobody would ever learn the address.
    pub(crate) fn print(self) -> anyhow::Result<()> {
        self.write(std::io::stdout().lock()).context("cannot print the ready line")
    }

    fn write(self, mut out: impl Write) -> std::io::Result<()> {
        let Self { name, address, management } = self;
        let ready = Ready { ready: name.to_owned(), address, management: Some(management) };
        let mut line = serde_json::to_vec(&ready)?;
        line.push(b'\n');
        out.write_all(&line)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_one_line_of_json() {
        let mut out = Vec::new();
        let [address, management] =
            ["127.0.0.1:8080", "127.0.0.1:9080"].map(|address| address.parse().unwrap());
        Announcement { name: "order", address, management }.write(&mut out).unwrap();
        let line = b"{\"ready\":\"order\",\"address\":\"127.0.0.1:8080\",\"management\":\"127.0.0.1:9080\"}\n";
        assert_eq!(out, line);
    }

    #[test]
    fn management_is_beside_the_known_port_or_wherever_it_is_told() {
        let args = |port, management_port| ProcessArgs {
            host: LOOPBACK.to_owned(),
            port,
            management_port,
            trace: TraceArgs { otlp_endpoint: None, trace_ratio: 1.0 },
            exit_with_parent: false,
        };
        assert_eq!(args(None, None).ports(8080), (8080, 9080));
        assert_eq!(args(Some(0), None).ports(8080), (0, 0));
        assert_eq!(args(Some(80), None).ports(8080), (80, 9080));
        assert_eq!(args(None, Some(7)).ports(8080), (8080, 7));
    }
}
