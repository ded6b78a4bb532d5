//! The one signal to stop, whichever way it arrives.

use std::io::Read;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Tells everything in a process to end in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that is cancelled by SIGTERM, by Ctrl-C and, with `exit_with_parent`, by the end of
    /// standard input: the parent holds its other end, so that it closes however the parent died.
    ///
    /// # Errors
    /// When the operating system refuses a signal handler or a thread.
    pub(crate) fn install(exit_with_parent: bool) -> anyhow::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let token = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
            token.begin();
        });
        if exit_with_parent {
            let token = shutdown.clone();
            // A thread of its own: the runtime's blocking read could not be ended with the runtime.
            std::thread::Builder::new()
                .name("parent-watch".into())
                .stack_size(64 * 1024)
                .spawn(move || {
                    wait_for_end(std::io::stdin().lock());
                    token.begin();
                })
                .context("cannot start the thread that watches the parent")?;
        }
        Ok(shutdown)
    }

    /// Begins the shutdown.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }

    /// Resolves when the shutdown has begun.
    pub(crate) fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.0.cancelled()
    }
}

/// Reads until the other end is gone, whatever it writes before.
fn wait_for_end(mut input: impl Read) {
    let mut buffer = [0; 64];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => (),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_copy_of_the_token_hears_of_the_shutdown() {
        let shutdown = Shutdown::default();
        let copy = shutdown.clone();
        assert!(!copy.0.is_cancelled());
        shutdown.begin();
        copy.cancelled().await;
        assert!(copy.0.is_cancelled());
    }

    #[test]
    fn the_parents_end_is_the_end_of_input_and_not_its_words() {
        let (reader, writer) = std::io::pipe().unwrap();
        let watch = std::thread::spawn(move || wait_for_end(reader));
        std::io::Write::write_all(&mut (&writer), b"a parent may speak\n").unwrap();
        assert!(!watch.is_finished());
        drop(writer);
        watch.join().unwrap();
    }
}
