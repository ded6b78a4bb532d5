//! Accepts connections, up to the limits, and never stops doing so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use crate::budget::Budget;
use crate::connection::{Connection, ConnectionError};
use crate::connections::{ConnectionLimits, Connections, Place};
use crate::frame::FrameBuffer;
use crate::hub::{Hub, host_and_port};
use crate::mapping::Pages;

/// Pause after a failed accept: without descriptors the next one would fail at once, too.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How often connections are looked at for taking too long; more often where that is short.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const SWEEPS_PER_PATIENCE: u64 = 4;

#[derive(Debug, Clone)]
pub(crate) struct ServerOptions {
    /// What clients are told; else the address at which they reached the broker.
    pub(crate) advertise: Option<(String, u16)>,
    pub(crate) max_frame_bytes: usize,
    pub(crate) max_in_flight_bytes: usize,
    pub(crate) connections: ConnectionLimits,
}

struct Server {
    hub: Arc<Hub>,
    advertise: Option<(String, u16)>,
    max_frame_bytes: usize,
    budget: Arc<Budget>,
    /// Where large frames find memory.
    pages: Arc<Pages>,
    connections: Arc<Connections>,
}

/// Of the memory that connections may hold, unused pages are kept up to this part beside it.
const KEPT_PART: usize = 8;

/// Accepts until it is dropped; so end its connections, whose tasks belong to the same runtime.
pub(crate) async fn serve(listener: TcpListener, hub: Arc<Hub>, options: ServerOptions) {
    let budget = Budget::new(options.max_in_flight_bytes);
    let patience = options.connections.patience;
    let server = Server {
        hub,
        advertise: options.advertise,
        max_frame_bytes: options.max_frame_bytes.min(budget.largest_bytes()),
        connections: Connections::new(options.connections, budget.clone()),
        pages: Pages::new(options.max_in_flight_bytes / KEPT_PART),
        budget,
    };
    let shortest = Duration::from_millis(
        (patience.idle_ms.min(patience.transfer_ms) / SWEEPS_PER_PATIENCE).max(1),
    );
    tokio::select! {
        biased;
        () = server.sweep(shortest.min(SWEEP_EVERY)) => {}
        () = server.pages.run_return() => {}
        () = server.accept(listener) => {}
    }
}

impl Server {
    async fn sweep(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            self.connections.sweep(self.hub.now());
        }
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            let (stream, client) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let place = match self.connections.admit(client, self.hub.now()) {
                Ok(place) => place,
                Err(refusal) => {
                    self.connections.warn(client, "refused", &refusal);
                    continue;
                }
            };
            match self.connection(stream, client, &place) {
                Ok(connection) => self.spawn(client, place, connection),
                Err(error) => debug!(%client, %error, "connection lost before it was used"),
            }
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        place: &Place,
    ) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        let advertised = match &self.advertise {
            Some(advertised) => advertised.clone(),
            None => host_and_port(stream.local_addr()?),
        };
        let session = self.hub.open(client.ip().to_string(), &advertised);
        let (share, pulse) = (self.budget.share(), place.pulse.clone());
        let frames = FrameBuffer::new(self.max_frame_bytes, self.pages.clone());
        Ok(Connection::new(stream, session, frames, share, pulse))
    }

    fn spawn(&self, client: SocketAddr, place: Place, connection: Connection) {
        let (id, connections) = (place.id, self.connections.clone());
        let task = tokio::spawn(async move {
            match connection.serve().await {
                Ok(()) => {}
                Err(ConnectionError::Io(error)) => debug!(%client, %error, "connection lost"),
                Err(error) => connections.warn(client, "closed", &error),
            }
            drop(place);
        });
        self.connections.served_by(id, task.abort_handle());
    }
}
