//! WebSockets: how they connect, live and break.

use std::sync::Arc;

use super::{Points, per_second};
use crate::metrics::{LoadState, TrendTotal, Window, names};

#[derive(Debug, Default)]
pub(in crate::tui) struct WebSockets {
    /// Sessions begun per second.
    pub(in crate::tui) connects: Points,
    pub(in crate::tui) sessions: u64,
    pub(in crate::tui) connecting: TrendTotal,
    pub(in crate::tui) lasted: TrendTotal,
    /// Messages: all, and in the latest second.
    pub(in crate::tui) received: (u64, f64),
    pub(in crate::tui) sent: (u64, f64),
    /// By kind, most frequent first.
    pub(in crate::tui) errors: Vec<(String, u64)>,
}

pub(in crate::tui) fn websockets(load: &LoadState, windows: &[Arc<Window>]) -> WebSockets {
    let now = |metric| per_second(windows, metric).last().map_or(0.0, |point| point.1);
    let messages = |metric| (load.count(metric, &[]), now(metric));
    let mut errors: Vec<_> = load
        .tag_values(names::WS_ERRORS, "error")
        .into_iter()
        .map(|kind| {
            let count = load.count(names::WS_ERRORS, &[("error", &kind)]);
            (kind, count)
        })
        .collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    WebSockets {
        connects: per_second(windows, names::WS_SESSIONS),
        sessions: load.count(names::WS_SESSIONS, &[]),
        connecting: load.trend(names::WS_CONNECTING, &[]),
        lasted: load.trend(names::WS_SESSION_DURATION, &[]),
        received: messages(names::WS_MSGS_RECEIVED),
        sent: messages(names::WS_MSGS_SENT),
        errors,
    }
}
