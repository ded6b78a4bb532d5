//! What a service hands out to be checked, and what it takes back.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::kit::snapshot::{Content, Export, State};

/// What is asked of a service between two records.
pub(crate) enum Request {
    /// Its state as it is now; nothing while it does not know it.
    Export(oneshot::Sender<Option<Subject>>),
    /// To go on from another state.
    Replace(Replacement, oneshot::Sender<Result<(), String>>),
}

pub(crate) type Mailbox = mpsc::Receiver<Request>;

/// A state to be checked.
pub(crate) struct Subject {
    /// The live state at one moment.
    pub(crate) exports: Vec<Export>,
    /// One of the same kind in which nothing has happened.
    pub(crate) fresh: Box<dyn State>,
}

/// What takes the place of a state that differs.
pub(crate) struct Replacement {
    /// At the same offsets as [`Subject::exports`].
    pub(crate) exports: Vec<Export>,
    /// The live state as it was then: what came after it stays.
    pub(crate) live: Vec<Arc<dyn Content>>,
}
