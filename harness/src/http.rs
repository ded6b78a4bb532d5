//! The few requests that the harness itself sends, from an address of its choice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::request;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

/// How long one request may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(10);

/// One kept-alive connection to one service.
pub struct Connection {
    authority: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to `base` (`http://HOST:PORT`), on Linux from `source` where one is given.
    ///
    /// # Errors
    /// `base` is no such address, or nobody listens there.
    pub async fn open(base: &str, source: Option<Ipv4Addr>) -> anyhow::Result<Self> {
        tokio::time::timeout(PATIENCE, Self::connect(base, source))
            .await
            .with_context(|| format!("{base}: no connection in {} s", PATIENCE.as_secs()))?
            .with_context(|| format!("{base}: cannot connect"))
    }

    async fn connect(base: &str, source: Option<Ipv4Addr>) -> anyhow::Result<Self> {
        let (host, port) = host_and_port(base)?;
        let mut found = tokio::net::lookup_host((host.as_str(), port)).await?;
        let target = found.next().context("the host has no address")?;
        let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source.filter(|_| target.ip().is_loopback() && target.is_ipv4()) {
            socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
        }
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; its error comes out of the request too.
        tokio::spawn(connection);
        Ok(Self { authority: format!("{host}:{port}"), sender })
    }

    /// # Errors
    /// The connection broke, or no answer came in time.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        self.send(Request::get(path), path, Bytes::new()).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Connection::get`].
    pub async fn post(&mut self, path: &str, json: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, path, json).await
    }

    async fn send(
        &mut self,
        request: request::Builder,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = request
            .header(header::HOST, &self.authority)
            .body(Full::new(body))
            .with_context(|| format!("{path} is no path"))?;
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(|| format!("{path}: no answer in {} s", PATIENCE.as_secs()))?
            .context(path.to_owned())
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// As [`Connection::open`] and [`Connection::get`].
pub async fn get(base: &str, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    Connection::open(base, None).await?.get(path).await
}

/// # Errors
/// `base` is not `http://HOST[:PORT]`.
pub fn host_and_port(base: &str) -> anyhow::Result<(String, u16)> {
    let uri: Uri = base.parse().with_context(|| format!("{base:?} is no URL"))?;
    if uri.scheme_str() != Some("http") {
        bail!("{base:?} does not begin with http://");
    }
    let host = uri.host().with_context(|| format!("{base:?} names no host"))?;
    Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
}
