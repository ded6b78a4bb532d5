//! The way of an order into the log: straight there, or by the local queue while Kafka is away.
//!
//! First come, first served: nobody buys the last piece before somebody who was answered before they
//! asked. So while many orders wait in the queue, later ones queue up behind them; when only a few are left
//! and Kafka takes orders, later ones wait for the moment that it takes until the last of them is on its
//! way (queueing up once more, they would be the next ones' queue, for ever). From there on the publisher
//! keeps their order.
//!
//! An order that was sent and got no answer is queued and sent again, byte for byte: should the first one
//! have arrived after all, the second is a repeat that every reader ignores.

use std::sync::OnceLock;
use std::time::Duration;

use tracing::debug;

use super::drain::BATCH;
use super::queue::{Entry, Queue, QueueError};
use crate::kit::breaker::Guard;
use crate::kit::metrics::{ORDERS_QUEUED, ORDERS_REFUSED};
use crate::kit::publisher::{PublishError, Publisher};
use crate::kit::record::Outgoing;

/// Why an order is neither in the log nor in the queue, as far as anybody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DispatchError {
    /// Trying again unchanged would not help: the queue is no place for it.
    #[error("Kafka refuses orders: {0}")]
    Refused(String),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Both ways into the log.
pub(super) struct Dispatch {
    /// The straight one, once the log has been reached.
    publisher: OnceLock<Publisher>,
    pub(super) breaker: Guard,
    pub(super) queue: Queue,
    /// How long an order waits for Kafka.
    patience: Duration,
}

impl Dispatch {
    pub(super) fn new(breaker: Guard, queue: Queue, patience: Duration) -> Self {
        Self { publisher: OnceLock::new(), breaker, queue, patience }
    }

    /// The log has been reached.
    pub(super) fn open(&self, publisher: Publisher) {
        self.publisher.get_or_init(|| publisher);
    }

    /// Returns when the order stands in the log or, synced, in the queue.
    ///
    /// # Errors
    /// [`DispatchError`].
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<(), DispatchError> {
        match self.send_straight(&outgoing).await {
            Ok(()) => return Ok(()),
            Err(PublishError::Refused(reason)) => {
                ORDERS_REFUSED.add_to(&[("reason", "kafka")], 1);
                return Err(DispatchError::Refused(reason));
            }
            Err(error) => debug!(%error, "an order goes to the queue"),
        }
        let (at, trace, event) = outgoing.into_parts();
        let queued = self.queue.append(Entry { at, trace, event }).await;
        match &queued {
            Ok(()) => ORDERS_QUEUED.add_to(&[], 1),
            Err(error) => ORDERS_REFUSED.add_to(&[("reason", error.name())], 1),
        }
        queued.map_err(DispatchError::Queue)
    }

    /// Waits until the last orders of the queue are on their way.
    async fn let_pass(&self) -> Result<(), PublishError> {
        let passed = async {
            tokio::select! {
                biased;
                () = self.queue.none_ahead() => Ok(()),
                () = self.breaker.tripped() => Err(PublishError::Full),
            }
        };
        let passed = tokio::time::timeout(self.patience, passed).await;
        passed.unwrap_or(Err(PublishError::TimedOut))
    }

    async fn send_straight(&self, outgoing: &Outgoing) -> Result<(), PublishError> {
        if self.queue.ahead() > BATCH as u64 {
            return Err(PublishError::Full);
        }
        if self.queue.ahead() > 0 {
            self.let_pass().await?;
        }
        let publisher = self.publisher.get().ok_or(PublishError::Closed)?;
        let Some(pass) = self.breaker.admit() else { return Err(PublishError::Full) };
        let others_failed = async {
            if pass.is_probe {
                std::future::pending::<()>().await;
            }
            self.breaker.tripped().await;
        };
        let published = tokio::select! {
            biased;
            published = publisher.publish(outgoing.clone()) => published,
            // What others waited for in vain, this one need not wait for any longer.
            () = others_failed => return Err(PublishError::TimedOut),
        };
        match published {
            Ok(_position) => pass.succeeded(),
            Err(_) => pass.failed(),
        }
        published.map(drop)
    }
}
