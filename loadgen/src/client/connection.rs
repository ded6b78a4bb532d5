//! One connection to a service, and requests over it, one at a time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::http::{Failure, Route};
use super::socket::ReadBuffer;
use super::target::Traffic;
use super::wire::{Expected, Reader, Response, WireError};

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    traffic: Rc<Traffic>,
    buffer: Rc<ReadBuffer>,
    /// Whether an answer has come over it.
    is_used: bool,
    keep_alive: bool,
}

/// When what happened to a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// The whole request was handed to the system.
    pub(crate) sent: Instant,
    /// The answer's first bytes were there.
    pub(crate) answered: Instant,
    pub(crate) ended: Instant,
}

/// Why there was no answer.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    /// Before it saw the request, as far as one can tell.
    #[error("the other side had closed the connection")]
    Stale,
    #[error(transparent)]
    Io(io::Error),
    #[error(transparent)]
    Wire(WireError),
}

impl Connection {
    /// # Errors
    /// [`Failure::Connect`].
    pub(crate) async fn open(route: &Route<'_>, buffer: &Rc<ReadBuffer>) -> Result<Self, Failure> {
        let stream = route.target.connect(route.client).await.map_err(|_| Failure::Connect)?;
        // A request is written in one piece: there is nothing to gather.
        let _ = stream.set_nodelay(true);
        let (traffic, buffer) = (Rc::clone(route.traffic), Rc::clone(buffer));
        Ok(Self { stream, traffic, buffer, is_used: false, keep_alive: true })
    }

    /// Whether it can carry another request.
    pub(crate) fn is_reusable(&self) -> bool {
        self.keep_alive
    }

    /// Whether the other side has closed it, or said something that nobody asked for, as far as is known.
    pub(crate) fn has_ended(&self) -> bool {
        // Asks the system only when something has come in.
        !matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and hands the answer to `judge` when it has come in whole. To be dropped after an error, or
    /// when this is not awaited to its end.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) async fn exchange<T>(
        &mut self,
        request: &[u8],
        expected: Expected,
        judge: impl FnOnce(Response<'_>, Instant) -> T,
    ) -> Result<(T, Moments), Trouble> {
        let was_used = std::mem::replace(&mut self.is_used, true);
        // Until the answer says otherwise.
        let was_alive = std::mem::replace(&mut self.keep_alive, false);
        debug_assert!(was_alive, "a connection that cannot be used again is used again");
        let stale = |error| if was_used { Trouble::Stale } else { Trouble::Io(error) };
        self.write(request).await.map_err(stale)?;
        let sent = Instant::now();
        let mut answer = Answer { reader: Reader::default(), answered: None, judge: Some(judge) };
        let complete = poll_fn(|cx| self.poll_answer(cx, expected, &mut answer)).await;
        let (judged, ended, keep_alive) = match complete {
            Err(Trouble::Wire(WireError::Ended) | Trouble::Io(_))
                if was_used && answer.answered.is_none() =>
            {
                return Err(Trouble::Stale);
            }
            complete => complete?,
        };
        self.keep_alive = keep_alive;
        Ok((judged, Moments { sent, answered: answer.answered.unwrap_or(ended), ended }))
    }

    /// After a change of protocol: the bare connection.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, rest)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.traffic.add_sent(written);
            rest = &rest[written..];
        }
        Ok(())
    }

    fn poll_answer<T, F: FnOnce(Response<'_>, Instant) -> T>(
        &mut self,
        cx: &mut Context<'_>,
        expected: Expected,
        answer: &mut Answer<F>,
    ) -> Poll<Result<(T, Instant, bool), Trouble>> {
        // Shared by all connections of the shard: what is read is judged before anybody else is polled.
        let buffer = Rc::clone(&self.buffer);
        let mut buffer = buffer.borrow_mut();
        loop {
            let mut read = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).map_err(Trouble::Io)?;
            let bytes = read.filled();
            self.traffic.add_received(bytes.len());
            let now = Instant::now();
            let mut judge = answer.judge.take();
            let on_response = |response: Response<'_>| {
                let keep_alive = response.keep_alive && response.rest.is_empty();
                judge.take().map(|judge| (judge(response, now), now, keep_alive))
            };
            let complete = if bytes.is_empty() {
                answer.reader.end(expected, on_response).map(Some)
            } else {
                answer.answered.get_or_insert(now);
                answer.reader.feed(bytes, expected, on_response)
            };
            match complete.map_err(Trouble::Wire)?.flatten() {
                Some(done) => return Poll::Ready(Ok(done)),
                None => answer.judge = judge,
            }
        }
    }
}

/// An answer that is coming in.
struct Answer<F> {
    reader: Reader,
    answered: Option<Instant>,
    judge: Option<F>,
}
