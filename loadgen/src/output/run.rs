//! All outputs of a run, in a thread of their own.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Output, OutputSpec, Tick};
use crate::metrics::LoadState;

/// How often outputs are given what has happened.
const EVERY: Duration = Duration::from_secs(1);
/// States that wait to be written. When a disk is slower, what comes next covers a longer time.
const MOST_WAITING: usize = 4;
/// For the last lines to be written.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The outputs that were asked for; none is fine.
pub struct Outputs {
    messages: Mutex<Option<Sender<Message>>>,
    /// Ends when the thread has written everything.
    done: Mutex<Receiver<()>>,
    waiting: Arc<AtomicUsize>,
    failures: Failures,
}

/// What went wrong and has not been told yet.
type Failures = Arc<Mutex<Vec<String>>>;

enum Message {
    Phase { run: String, phase: String, started_at: DateTime<Utc> },
    State(Arc<LoadState>),
}

impl Outputs {
    /// Creates the files and opens the ports.
    ///
    /// # Errors
    /// The first that cannot be, by its name.
    pub fn open(specs: &[OutputSpec]) -> io::Result<Self> {
        let mut outputs = Vec::new();
        for spec in specs {
            let output = spec.open();
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot open the output {spec}: {error}"))
            };
            outputs.push((spec.to_string(), output.map_err(named)?));
        }
        let (messages, received) = channel();
        let (finished, done) = channel::<()>();
        let (waiting, failures) = (Arc::<AtomicUsize>::default(), Failures::default());
        let mut writer = Writer {
            outputs,
            run: String::new(),
            phase: String::new(),
            started_at: DateTime::UNIX_EPOCH,
            before: Arc::default(),
            failures: Arc::clone(&failures),
        };
        let left = Arc::clone(&waiting);
        let write = move || {
            for message in received {
                writer.take(message);
                left.fetch_sub(1, Ordering::Relaxed);
            }
            drop(writer);
            drop(finished);
        };
        std::thread::Builder::new().name("outputs".into()).spawn(write)?;
        let (messages, done) = (Mutex::new(Some(messages)), Mutex::new(done));
        Ok(Self { messages, done, waiting, failures })
    }

    /// Follows a phase's load until the feed is ended or dropped, and tells when an output ends.
    #[must_use]
    pub fn follow(
        self: &Arc<Self>,
        run: &str,
        phase: &str,
        started_at: DateTime<Utc>,
        mut load: watch::Receiver<Arc<LoadState>>,
        tell: impl Fn(String) + Send + Sync + 'static,
    ) -> Feed {
        self.send(Message::Phase { run: run.into(), phase: phase.into(), started_at });
        let outputs = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            loop {
                ticks.tick().await;
                let state = Arc::clone(&load.borrow_and_update());
                if outputs.waiting.load(Ordering::Relaxed) < MOST_WAITING {
                    outputs.send(Message::State(state));
                }
                outputs.failures().into_iter().for_each(&tell);
            }
        });
        Feed { outputs: Arc::clone(self), task }
    }

    fn send(&self, message: Message) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Some(messages) = &*locked(&self.messages) {
            // The thread lives as long as the sender.
            let _ = messages.send(message);
        }
    }

    /// What went wrong since this was last asked.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.failures))
    }

    /// Waits until everything is written, for a while, and gives what has not been told yet.
    #[must_use]
    pub fn close(&self) -> Vec<String> {
        drop(locked(&self.messages).take());
        if locked(&self.done).recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            let late = "an output does not get its last lines written: they are lost".to_owned();
            locked(&self.failures).push(late);
        }
        self.failures()
    }
}

/// What a thread that panicked has left behind is still good here.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A phase that is followed.
pub struct Feed {
    outputs: Arc<Outputs>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Tells the last state of the phase.
    pub fn end(self, last: Arc<LoadState>) {
        self.task.abort();
        self.outputs.send(Message::State(last));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Writer {
    /// Those that have not failed, by what they were asked for.
    outputs: Vec<(String, Box<dyn Output>)>,
    run: String,
    phase: String,
    started_at: DateTime<Utc>,
    before: Arc<LoadState>,
    failures: Failures,
}

impl Writer {
    fn take(&mut self, message: Message) {
        match message {
            Message::Phase { run, phase, started_at } => {
                (self.run, self.phase, self.started_at) = (run, phase, started_at);
                self.before = Arc::default();
            }
            Message::State(now) => self.write(now),
        }
    }

    fn write(&mut self, now: Arc<LoadState>) {
        if now.elapsed() <= self.before.elapsed() {
            return;
        }
        let tick = Tick {
            run: &self.run,
            phase: &self.phase,
            phase_started_at: self.started_at,
            before: &self.before,
            now: &now,
        };
        self.outputs.retain_mut(|(name, output)| match output.write(&tick) {
            Ok(()) => true,
            Err(error) => {
                let told = format!("the output {name} ends here: {error}");
                locked(&self.failures).push(told);
                false
            }
        });
        self.before = now;
    }
}
