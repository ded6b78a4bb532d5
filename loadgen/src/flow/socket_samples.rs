//! The samples of WebSockets, whatever they are for.

use super::context::Context;
use crate::metrics::{CounterId, Registry, TrendId, names};

pub(super) struct SocketSamples {
    registry: Registry,
    pub(super) connecting: TrendId,
    pub(super) sessions: CounterId,
    pub(super) session_duration: TrendId,
    pub(super) received: CounterId,
    pub(super) sent: CounterId,
    errors: [(&'static str, CounterId); 3],
}

/// Why a socket could not be opened or held.
pub(super) const REFUSED: &str = "refused";
pub(super) const BROKEN: &str = "broken";
pub(super) const CLOSED: &str = "closed";

impl SocketSamples {
    pub(super) fn new(context: &Context) -> Self {
        let registry = context.registry();
        let counter = |name| registry.counter(name, &context.tags(&[]));
        let trend = |name| registry.trend(name, &context.tags(&[]));
        let error =
            |kind| (kind, registry.counter(names::WS_ERRORS, &context.tags(&[("error", kind)])));
        Self {
            connecting: trend(names::WS_CONNECTING),
            sessions: counter(names::WS_SESSIONS),
            session_duration: trend(names::WS_SESSION_DURATION),
            received: counter(names::WS_MSGS_RECEIVED),
            sent: counter(names::WS_MSGS_SENT),
            errors: [REFUSED, BROKEN, CLOSED].map(error),
            registry: registry.clone(),
        }
    }

    pub(super) fn count_error(&self, kind: &'static str) {
        if let Some((_, counter)) = self.errors.iter().find(|(known, _)| *known == kind) {
            self.registry.add(*counter, 1);
        }
    }
}
