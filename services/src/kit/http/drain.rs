//! How a server ends without anybody noticing: who has come already is served, nobody new is let in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long a connection that has just been made may take to send its first request.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Closes the door: everybody who stands in the backlog already, and nobody after. Dropping the listener
/// alone would reset their connections, with requests in them.
pub(super) fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut last = Vec::new();
    // Not over the runtime, which hears of a newcomer later than the kernel.
    let Ok(listener) = listener.into_std() else { return last };
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            last.push((stream, peer));
        }
    }
    last
}

/// Whether a connection has carried a request: one that has not is just about to.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstRequest(Arc<(AtomicBool, Notify)>);

impl FirstRequest {
    /// A request has arrived.
    pub(super) fn arrived(&self) {
        let (arrived, news) = &*self.0;
        if !arrived.swap(true, Ordering::Relaxed) {
            news.notify_one();
        }
    }

    /// Waits for the first request, for moments at most.
    pub(super) async fn wait(&self) {
        let (arrived, news) = &*self.0;
        if !arrived.load(Ordering::Relaxed) {
            // Who sends nothing in this time has nothing to lose.
            let _ = tokio::time::timeout(FIRST_REQUEST_GRACE, news.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn whoever_stands_in_the_backlog_is_let_in_and_nobody_after() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut early = Vec::new();
        for _ in 0..3 {
            early.push(TcpStream::connect(address).await.unwrap());
        }
        early[0].write_all(b"hello").await.unwrap();
        let mut last = close(listener);
        assert_eq!(last.len(), 3);
        let mut said = [0; 5];
        last[0].0.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_request_that_was_before_is_not_waited_for() {
        let first = FirstRequest::default();
        first.arrived();
        first.wait().await;
        let late = FirstRequest::default();
        let other = late.clone();
        tokio::join!(late.wait(), async move { other.arrived() });
    }
}
