//! One TCP connection: frames in, responses out, in the order of the requests.
//!
//! Everything that one read delivers is answered with one write, as far as that goes. While a
//! request waits, what arrives behind it is read up to a limit but not acted upon, as in Kafka.
//! Memory beyond a little is asked for in `budget`; what takes too long, `pulse` tells.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::protocol::Request as _;
use tokio::net::TcpStream;

use crate::budget::Share;
use crate::core::Progress;
use crate::frame::{FrameBuffer, Room};
use crate::hub::Session;
use crate::pulse::Pulse;
use crate::wire::{Fatal, Outbox};

/// Responses are written before more than this is waiting to be.
const FLUSH_FROM_BYTES: usize = 256 * 1024;
/// What may arrive behind a request that waits.
const READ_AHEAD_BYTES: usize = 64 * 1024;
const SLICES_PER_WRITE: usize = 64;
/// Requests of one client, and bytes of them, that are answered before the others have a turn.
const REQUESTS_PER_TURN: usize = 8;
const BYTES_PER_TURN: usize = 1024 * 1024;

/// Why a connection ended, other than by its client's wish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Fatal(#[from] Fatal),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A client with Nagle's algorithm on (rskafka is one) sends the rest of a large request only when
/// its beginning is acknowledged, which the kernel would put off for 40 ms in the hope of a response
/// to send along. There is none before the whole request is here.
#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) {
    // The kernel takes it as a hint, and so is its failure.
    let _ = stream.set_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) {}

pub(crate) struct Connection {
    stream: TcpStream,
    session: Session,
    frames: FrameBuffer,
    outbox: Outbox,
    share: Share,
    pulse: Arc<Pulse>,
    /// The request whose beginning has arrived is known to `pulse`.
    arriving: bool,
    /// What was answered since the others had a turn.
    turn: Turn,
}

#[derive(Default)]
struct Turn {
    requests: usize,
    bytes: usize,
}

impl Turn {
    /// Counts a request; returns whether the turn is over.
    fn count(&mut self, bytes: usize) -> bool {
        self.requests += 1;
        self.bytes += bytes;
        let over = self.requests >= REQUESTS_PER_TURN || self.bytes >= BYTES_PER_TURN;
        if over {
            *self = Self::default();
        }
        over
    }
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        session: Session,
        frames: FrameBuffer,
        share: Share,
        pulse: Arc<Pulse>,
    ) -> Self {
        let outbox = Outbox::default();
        let turn = Turn::default();
        Self { stream, session, frames, outbox, share, pulse, arriving: false, turn }
    }

    /// Serves the client until it goes.
    pub(crate) async fn serve(mut self) -> Result<(), ConnectionError> {
        loop {
            let answered = self.answer_frames().await;
            // What was answered before a bad request is still due.
            self.flush().await?;
            if !answered? || !self.receive().await? {
                return Ok(());
            }
        }
    }

    /// Waits for more of the client, as soon as there is memory for it. Returns whether it is still
    /// there.
    async fn receive(&mut self) -> io::Result<bool> {
        if self.frames.len() == 0 {
            self.share.set(0);
            self.pulse.idle();
        } else {
            acknowledge_at_once(&self.stream);
            let capacity = self.frames.next_capacity();
            if !self.share.try_set(capacity) {
                self.exempt();
                self.share.wait_to_set(capacity).await;
            }
            if self.arriving {
                self.pulse.moved(self.frames.len());
            } else {
                self.arriving = true;
                self.pulse.transferring(self.frames.len());
            }
        }
        Ok(read(&self.stream, &mut self.frames).await? > 0)
    }

    /// Answers the whole frames that have arrived. Returns whether the client is still there.
    async fn answer_frames(&mut self) -> Result<bool, ConnectionError> {
        while let Some(frame) = self.frames.next()? {
            self.arriving = false;
            let large_answer = asks_for_records(&frame);
            if large_answer {
                self.make_room().await?;
            }
            let mut progress = self.session.submit(&frame, &mut self.outbox)?;
            let request_bytes = frame.len();
            drop(frame);
            while progress == Progress::Waiting {
                self.flush().await?;
                if !self.wait(request_bytes).await? {
                    return Ok(false);
                }
                if large_answer {
                    self.make_room().await?;
                }
                progress = self.session.resume(&mut self.outbox)?;
            }
            if self.outbox.len() >= FLUSH_FROM_BYTES {
                self.flush().await?;
            }
            if self.turn.count(request_bytes) {
                self.flush().await?;
                tokio::task::yield_now().await;
            }
        }
        Ok(true)
    }

    /// Waits for the core, and notices when the client goes meanwhile. What the core keeps of the
    /// request counts as the bytes it came in.
    async fn wait(&mut self, request_bytes: usize) -> Result<bool, ConnectionError> {
        self.exempt();
        loop {
            let held = request_bytes + self.frames.next_capacity();
            let may_read = self.frames.len() < READ_AHEAD_BYTES && self.share.try_set(held);
            tokio::select! {
                biased;
                () = self.session.woken() => return Ok(true),
                received = read(&self.stream, &mut self.frames), if may_read => {
                    if received? == 0 {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Lets the next response have as much memory as is left, waiting if that is none.
    async fn make_room(&mut self) -> Result<(), ConnectionError> {
        if self.share.is_full() {
            self.flush().await?;
            self.exempt();
            self.share.wait_for_room().await;
        }
        self.outbox.limit_to(self.share.response_room());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ConnectionError> {
        let mut written = 0;
        let mut blocked = false;
        while written < self.outbox.len() {
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = self.outbox.slices(written, &mut slices);
            match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if blocked {
                        self.pulse.moved(written);
                    } else {
                        blocked = true;
                        self.arriving = false;
                        self.share.set(self.frames.next_capacity() + self.outbox.len());
                        self.pulse.transferring(written);
                    }
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.outbox.clear();
        if blocked {
            self.share.set(self.frames.next_capacity());
            self.exempt();
        }
        Ok(())
    }

    /// The client is not the one to be waited for.
    fn exempt(&mut self) {
        self.arriving = false;
        self.pulse.exempt();
    }
}

/// Only these are answered with more than a little.
fn asks_for_records(frame: &Bytes) -> bool {
    frame.starts_with(&FetchRequest::KEY.to_be_bytes())
}

/// Reads what there is, or waits for it without holding a buffer.
async fn read(stream: &TcpStream, frames: &mut FrameBuffer) -> io::Result<usize> {
    frames.rest();
    loop {
        stream.readable().await?;
        let read = match frames.room() {
            Room::Pages(pages) => {
                stream.try_read(pages.room()).inspect(|read| pages.advance(*read))
            }
            Room::Buffer(buffer) => stream.try_read_buf(buffer),
        };
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => frames.rest(),
            read => return read,
        }
    }
}
