//! A WebSocket client that keeps nothing but its connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Longest time for one socket to show its order.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first two bytes of an unmasked text of 126 to 65,535 bytes (RFC 6455 §5.2).
const TEXT_WITH_LONG_LENGTH: [u8; 2] = [0x81, 126];

/// Opens the socket of an order and reads the frame that shows it.
pub(crate) async fn watch(
    from: Ipv4Addr,
    to: SocketAddr,
    order: String,
) -> anyhow::Result<TcpStream> {
    tokio::time::timeout(PATIENCE, shown(from, to, &order))
        .await
        .with_context(|| format!("{order} was not shown in time"))?
}

async fn shown(from: Ipv4Addr, to: SocketAddr, order: &str) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    let mut stream = socket.connect(to).await?;
    let request = format!(
        "GET /ws/{order} HTTP/1.1\r\nhost: {to}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.context("no answer to the handshake")?);
    }
    let head = String::from_utf8_lossy(&head);
    ensure!(head.starts_with("HTTP/1.1 101"), "no handshake: {head}");
    let mut start = [0; 2];
    stream.read_exact(&mut start).await?;
    ensure!(start == TEXT_WITH_LONG_LENGTH, "{start:?} is not how an order's frame begins");
    let mut frame = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut frame).await?;
    let frame = String::from_utf8(frame)?;
    ensure!(frame.contains(order) && frame.contains("Shipped"), "not the whole order: {frame}");
    Ok(stream)
}
