//! Accepts connections, up to a limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::connection::{Connection, ConnectionError};
use crate::hub::{Hub, host_and_port};

/// Pause after a failed accept: without descriptors the next one would fail at once, too.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub(crate) struct ServerOptions {
    /// What clients are told; else the address at which they reached the broker.
    pub(crate) advertise: Option<(String, u16)>,
    pub(crate) max_frame_bytes: usize,
    pub(crate) max_connections: usize,
}

/// Accepts until it is dropped; so end its connections, whose tasks belong to the same runtime.
pub(crate) async fn serve(listener: TcpListener, hub: Arc<Hub>, options: ServerOptions) {
    let free = Arc::new(Semaphore::new(options.max_connections));
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let Ok(permit) = free.clone().try_acquire_owned() else {
            warn!(%client, limit = options.max_connections, "too many connections: closed one");
            continue;
        };
        match connection(stream, client, &hub, &options) {
            Ok(connection) => {
                tokio::spawn(async move {
                    log_end(client, connection.serve().await);
                    drop(permit);
                });
            }
            Err(error) => debug!(%client, %error, "connection lost before it was used"),
        }
    }
}

fn connection(
    stream: TcpStream,
    client: SocketAddr,
    hub: &Arc<Hub>,
    options: &ServerOptions,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let advertised = match &options.advertise {
        Some(advertised) => advertised.clone(),
        None => host_and_port(stream.local_addr()?),
    };
    let session = hub.open(client.ip().to_string(), &advertised);
    Ok(Connection::new(stream, session, options.max_frame_bytes))
}

fn log_end(client: SocketAddr, end: Result<(), ConnectionError>) {
    match end {
        Ok(()) => {}
        Err(ConnectionError::Io(error)) => debug!(%client, %error, "connection lost"),
        Err(error) => warn!(%client, %error, "connection closed"),
    }
}
