//! The samples of the sockets on which orders are watched.

use super::context::Context;
use super::socket_samples::SocketSamples;
use crate::metrics::{CounterId, RateId, TrendId, names};

pub(super) struct OrderSamples {
    pub(super) socket: SocketSamples,
    pub(super) failovers: CounterId,
    pub(super) availability: RateId,
    pub(super) shipped: TrendId,
    pub(super) ended: TrendId,
    pub(super) stages: [(&'static str, TrendId); 4],
}

impl OrderSamples {
    pub(super) fn new(context: &Context) -> Self {
        let registry = context.registry();
        let trend = |name| registry.trend(name, &context.tags(&[]));
        let stage = |name| (name, trend(name));
        Self {
            socket: SocketSamples::new(context),
            failovers: registry.counter(names::FAILOVERS, &context.tags(&[("name", "ws")])),
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
