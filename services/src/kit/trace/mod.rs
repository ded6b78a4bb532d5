//! Traces (W3C Trace Context): from the HTTP request through the records' headers to the socket.
//!
//! | module | what it holds |
//! |---|---|
//! | [`context`] | the `traceparent` header; pure |
//! | [`span`] | what happened between two moments of a trace |
//! | [`otlp`] | spans as OTLP's JSON; pure |
//! | [`export`] | sending them to a collector, in the background |
//!
//! Without a collector nothing is recorded and no trace is begun; one that a client began is passed on.

mod context;
mod export;
mod otlp;
mod span;

pub(crate) use context::{TRACEPARENT, TraceContext};
pub(crate) use export::{Exporter, TraceArgs};
pub(crate) use span::{Kind, Span};
