//! What goes into the pipeline and what comes out of it.

use std::sync::Arc;

use super::{Points, per_second, points};
use crate::metrics::{LoadState, Reading, Window, names};

#[derive(Debug, Default)]
pub(in crate::tui) struct Flow {
    /// What goes through: `orders` or `messages`.
    pub(in crate::tui) what: &'static str,
    /// Per second.
    pub(in crate::tui) entering: Points,
    pub(in crate::tui) leaving: Points,
    pub(in crate::tui) entered: u64,
    /// Those that were seen to: of orders, only the watched ones.
    pub(in crate::tui) left: u64,
    pub(in crate::tui) unknown: u64,
}

pub(in crate::tui) fn flow(load: &LoadState, windows: &[Arc<Window>]) -> Flow {
    let entered = load.count(names::ORDERS_CREATED, &[]);
    let messages = load.count(names::KAFKA_MESSAGES_SENT, &[]);
    if entered == 0 && messages > 0 {
        return Flow {
            what: "messages",
            entering: per_second(windows, names::KAFKA_MESSAGES_SENT),
            leaving: per_second(windows, names::KAFKA_MESSAGES_RECEIVED),
            entered: messages,
            left: load.count(names::KAFKA_MESSAGES_RECEIVED, &[]),
            unknown: load.count(names::KAFKA_MESSAGES_LOST, &[]),
        };
    }
    let ended = |window: &Window| match window.reading(names::ORDER_ENDED, None)? {
        #[expect(clippy::cast_precision_loss, reason = "a window's counts are far below 2^52")]
        Reading::Trend { count, .. } => Some(count as f64 * 1000.0 / window.width_ms.max(1) as f64),
        _ => None,
    };
    Flow {
        what: "orders",
        entering: per_second(windows, names::ORDERS_CREATED),
        leaving: points(windows, ended),
        entered,
        left: load.trend(names::ORDER_ENDED, &[]).count(),
        unknown: load.count(names::ORDERS_UNKNOWN, &[]),
    }
}
