//! One TCP connection: frames in, responses out, in the order of the requests.
//!
//! Everything that one read delivers is answered with one write, as far as that goes. While a
//! request waits, what arrives behind it is read up to a limit but not acted upon, as in Kafka.

use std::io::{self, IoSlice};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::core::Progress;
use crate::frame::FrameBuffer;
use crate::hub::Session;
use crate::wire::{Fatal, Outbox};

/// Responses are written before more than this is waiting to be.
const FLUSH_FROM_BYTES: usize = 256 * 1024;
/// What may arrive behind a request that waits.
const READ_AHEAD_BYTES: usize = 64 * 1024;
/// A client that takes nothing for this long is given up, and what it was owed with it.
const WRITE_STALL: Duration = Duration::from_secs(30);
const SLICES_PER_WRITE: usize = 64;

/// Why a connection ended, other than by its client's wish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Fatal(#[from] Fatal),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the client took no byte for {} s", WRITE_STALL.as_secs())]
    Stalled,
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
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, session: Session, max_frame_bytes: usize) -> Self {
        let frames = FrameBuffer::new(max_frame_bytes);
        Self { stream, session, frames, outbox: Outbox::default() }
    }

    /// Serves the client until it goes.
    pub(crate) async fn serve(mut self) -> Result<(), ConnectionError> {
        loop {
            let answered = self.answer_frames().await;
            // What was answered before a bad request is still due.
            self.flush().await?;
            if !answered? {
                return Ok(());
            }
            if self.frames.len() > 0 {
                acknowledge_at_once(&self.stream);
            }
            if self.stream.read_buf(self.frames.room()).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Answers the whole frames that have arrived. Returns whether the client is still there.
    async fn answer_frames(&mut self) -> Result<bool, ConnectionError> {
        while let Some(frame) = self.frames.next()? {
            let mut progress = self.session.submit(&frame, &mut self.outbox)?;
            drop(frame);
            while progress == Progress::Waiting {
                self.flush().await?;
                if !self.wait().await? {
                    return Ok(false);
                }
                progress = self.session.resume(&mut self.outbox)?;
            }
            if self.outbox.len() >= FLUSH_FROM_BYTES {
                self.flush().await?;
            }
        }
        Ok(true)
    }

    /// Waits for the core, and notices when the client goes meanwhile.
    async fn wait(&mut self) -> Result<bool, ConnectionError> {
        loop {
            let may_read = self.frames.len() < READ_AHEAD_BYTES;
            tokio::select! {
                biased;
                () = self.session.woken() => return Ok(true),
                read = self.stream.read_buf(self.frames.room()), if may_read => {
                    if read? == 0 {
                        return Ok(false);
                    }
                }
            }
        }
    }

    async fn flush(&mut self) -> Result<(), ConnectionError> {
        let mut written = 0;
        while written < self.outbox.len() {
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = self.outbox.slices(written, &mut slices);
            let write = self.stream.write_vectored(&slices[..filled]);
            written +=
                timeout(WRITE_STALL, write).await.map_err(|_| ConnectionError::Stalled)??;
        }
        self.outbox.clear();
        Ok(())
    }
}
