//! The samples of the sockets on which orders are watched.

use super::context::Context;
use crate::metrics::{CounterId, RateId, TrendId, names};

pub(super) struct SocketSamples {
    pub(super) connecting: TrendId,
    pub(super) sessions: CounterId,
    pub(super) failovers: CounterId,
    pub(super) session_duration: TrendId,
    pub(super) received: CounterId,
    pub(super) sent: CounterId,
    pub(super) errors: [(&'static str, CounterId); 3],
    pub(super) availability: RateId,
    pub(super) shipped: TrendId,
    pub(super) ended: TrendId,
    pub(super) stages: [(&'static str, TrendId); 4],
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
        let stage = |name| (name, trend(name));
        Self {
            connecting: trend(names::WS_CONNECTING),
            sessions: counter(names::WS_SESSIONS),
            failovers: registry.counter(names::FAILOVERS, &context.tags(&[("name", "ws")])),
            session_duration: trend(names::WS_SESSION_DURATION),
            received: counter(names::WS_MSGS_RECEIVED),
            sent: counter(names::WS_MSGS_SENT),
            errors: [REFUSED, BROKEN, CLOSED].map(error),
            availability: registry.rate(names::AVAILABILITY, &context.tags(&[("name", "ws")])),
            shipped: trend(names::ORDER_SHIPPED),
            ended: trend(names::ORDER_ENDED),
            stages: [
                stage(names::PIPELINE_INVENTORY),
                stage(names::PIPELINE_PAYMENT),
                stage(names::PIPELINE_SHIPPING),
                stage(names::PIPELINE_NOTIFICATION),
            ],
        }
    }
}
