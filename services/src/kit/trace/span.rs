//! What happened between two moments of a trace.

use contract::Timestamp;

use super::context::TraceContext;
use super::export::tracer;

/// What a span is to the others of its trace (OpenTelemetry's numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// A span that is done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finished {
    pub(super) context: TraceContext,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) failed: bool,
}

/// A span that has begun; or, when nobody records, only the place in the trace that is passed on.
#[derive(Debug, Default)]
pub(crate) struct Span {
    context: Option<TraceContext>,
    recording: Option<Box<Recording>>,
}

#[derive(Debug)]
struct Recording {
    parent: Option<u64>,
    kind: Kind,
    began: Timestamp,
    attributes: Vec<(&'static str, String)>,
}

impl Span {
    /// Begins a span under `parent`; without a parent there is none.
    pub(crate) fn under(parent: Option<TraceContext>, kind: Kind, now: Timestamp) -> Self {
        match (parent, tracer()) {
            (Some(parent), Some(tracer)) if parent.sampled => {
                let context = TraceContext { span_id: tracer.span_id(), ..parent };
                Self::recording(context, Some(parent.span_id), kind, now)
            }
            (parent, _) => Self { context: parent, recording: None },
        }
    }

    /// Begins a span under `parent`, or a trace of its own for as many as are sampled.
    pub(crate) fn root(parent: Option<TraceContext>, kind: Kind, now: Timestamp) -> Self {
        match (parent, tracer()) {
            (None, Some(tracer)) => tracer
                .begin_trace()
                .map_or_else(Self::default, |context| Self::recording(context, None, kind, now)),
            (parent, _) => Self::under(parent, kind, now),
        }
    }

    fn recording(context: TraceContext, parent: Option<u64>, kind: Kind, began: Timestamp) -> Self {
        let recording = Recording { parent, kind, began, attributes: Vec::new() };
        Self { context: Some(context), recording: Some(Box::new(recording)) }
    }

    /// The place in the trace that follows from here.
    pub(crate) const fn context(&self) -> Option<TraceContext> {
        self.context
    }

    pub(crate) const fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    pub(crate) fn attribute(&mut self, name: &'static str, value: impl ToString) {
        if let Some(recording) = &mut self.recording {
            recording.attributes.push((name, value.to_string()));
        }
    }

    /// It is done. Its name comes last, since a request's route is known only then.
    pub(crate) fn end(self, name: impl Into<String>, now: Timestamp, failed: bool) {
        let (Some(recording), Some(context), Some(tracer)) =
            (self.recording, self.context, tracer())
        else {
            return;
        };
        let Recording { parent, kind, began, attributes } = *recording;
        let (name, ended) = (name.into(), now);
        tracer.record(Finished { context, parent, name, kind, began, ended, attributes, failed });
    }
}
