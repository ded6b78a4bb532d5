//! Request frames over TCP, one at a time.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::log::ByteTransport;

const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// The largest answer to a group request: far above what a group of our size needs.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// One connection to one broker.
pub(crate) struct TcpTransport {
    stream: TcpStream,
}

impl TcpTransport {
    /// Connects to the first of `addresses` (HOST:PORT) that answers.
    ///
    /// # Errors
    /// The last address's error when none does.
    pub(crate) async fn connect(addresses: &[&str]) -> io::Result<Self> {
        let mut last = io::Error::new(ErrorKind::InvalidInput, "no broker address");
        for address in addresses {
            match tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self { stream });
                }
                Ok(Err(error)) => last = error,
                Err(_elapsed) => last = ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    async fn exchange(&mut self, frame: &[u8]) -> io::Result<Bytes> {
        let length = u32::try_from(frame.len()).map_err(|_| ErrorKind::InvalidInput)?;
        let mut request = BytesMut::with_capacity(4 + frame.len());
        request.extend_from_slice(&length.to_be_bytes());
        request.extend_from_slice(frame);
        self.stream.write_all(&request).await?;

        let length = usize::try_from(self.stream.read_u32().await?).unwrap_or(usize::MAX);
        if length > MAX_ANSWER_BYTES {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("answer of {length} bytes"),
            ));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer.into())
    }
}

impl ByteTransport for TcpTransport {
    fn call(&mut self, frame: Bytes, patience: Duration) -> BoxFuture<'_, io::Result<Bytes>> {
        async move {
            match tokio::time::timeout(patience, self.exchange(&frame)).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(ErrorKind::TimedOut.into()),
            }
        }
        .boxed()
    }
}
