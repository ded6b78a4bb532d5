//! Where requests go, and TCP connections to there.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};
use http::Uri;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};

/// A service under test.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// For the `Host` header.
    pub(crate) host: String,
    /// What stands before every path, without the last slash.
    prefix: String,
}

impl Target {
    /// Looks up the address of `url`, which is `http://host[:port][/prefix]`.
    ///
    /// # Errors
    /// When it is something else, or the host has no address.
    pub(crate) async fn resolve(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is no URL"))?;
        if uri.scheme_str() != Some("http") {
            bail!("{url:?} is no http:// URL");
        }
        let authority = uri.authority().with_context(|| format!("{url:?} names no host"))?;
        let port = authority.port_u16().unwrap_or(80);
        let host = authority.host().trim_matches(['[', ']']);
        let mut addresses = tokio::net::lookup_host((host, port))
            .await
            .with_context(|| format!("cannot find the host of {url:?}"))?;
        let address = addresses.next().with_context(|| format!("{url:?} has no address"))?;
        let host = authority.as_str().to_owned();
        Ok(Self { address, host, prefix: uri.path().trim_end_matches('/').to_owned() })
    }

    /// What stands before every path in the request line.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether connections can come from any leased address. Elsewhere a proxy header must say who asks.
    pub(crate) fn is_local(&self) -> bool {
        self.address.ip().is_loopback() && self.address.is_ipv4()
    }

    /// Opens a connection from `client`, or from wherever the system likes.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) async fn connect(&self, client: Option<IpAddr>) -> io::Result<TcpStream> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(client) = client.filter(|_| self.is_local()) {
            // Without this the kernel would reserve a port for all destinations at once, and run out.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(SocketAddr::new(client, 0))?;
        }
        socket.connect(self.address).await
    }
}

/// Bytes sent and received by one scenario's virtual users since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
}

impl Traffic {
    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
    }
}
