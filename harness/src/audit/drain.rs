//! Waits for the pipeline to finish what the load left in it.

use std::time::Duration;

use tokio::time::Instant;

use super::reader::{LogReader, ReadError};

/// Without any new record for this long, what has not ended is stuck.
pub const STUCK_AFTER: Duration = Duration::from_secs(60);
/// All orders have ended, and for this long nothing came after: the pipeline is empty.
const QUIET: Duration = Duration::from_millis(300);
const POLL_EVERY: Duration = Duration::from_millis(100);

/// How far the pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub orders: usize,
    pub ended: usize,
}

/// Reads on until every order has ended and the log is quiet, or until nothing has moved for
/// `stuck_after`.
///
/// # Errors
/// The log cannot be read.
pub async fn drain(
    reader: &mut LogReader,
    stuck_after: Duration,
    mut on_progress: impl FnMut(Progress),
) -> Result<(), ReadError> {
    let mut moved_at = Instant::now();
    loop {
        if reader.poll().await? > 0 {
            moved_at = Instant::now();
        }
        let progress =
            Progress { orders: reader.model.orders().len(), ended: reader.model.ended() };
        on_progress(progress);
        let all_ended = progress.orders == progress.ended;
        let patience = if all_ended { QUIET } else { stuck_after };
        if moved_at.elapsed() >= patience {
            return Ok(());
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
