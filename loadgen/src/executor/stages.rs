//! Which stage an iteration belongs to: the one in which it was due, whenever its samples come.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::course::Course;
use crate::metrics::{Registry, StageId};
use crate::scenario::NamedStage;

/// A scenario's stages that have names.
pub(crate) struct Stages {
    registry: Registry,
    /// Counted from the phase's start, in the order of time.
    named: Vec<(Duration, Duration, StageId)>,
    course: RefCell<Option<watch::Receiver<Course>>>,
}

impl Stages {
    pub(crate) fn new(registry: &Registry, stages: &[NamedStage]) -> Self {
        let named = stages
            .iter()
            .map(|stage| (stage.span.from, stage.span.to, registry.stage(&stage.name)))
            .collect();
        Self { registry: registry.clone(), named, course: RefCell::default() }
    }

    /// Stages are counted in the plan's own time.
    pub(crate) fn begin(&self, course: &watch::Receiver<Course>) {
        self.course.replace(Some(course.clone()));
    }

    /// The stage in which something was due.
    pub(crate) fn at(&self, due: Instant) -> Option<StageId> {
        if self.named.is_empty() {
            return None;
        }
        let elapsed = self.course.borrow().as_ref()?.borrow().elapsed(due);
        let stage = self.named.iter().find(|(from, to, _)| (*from..*to).contains(&elapsed));
        stage.map(|(_, _, id)| *id)
    }

    /// Lets `work` record what it records under `stage`, whatever else runs between its steps.
    pub(crate) fn within<F: Future>(&self, stage: Option<StageId>, work: F) -> Within<'_, F> {
        Within { registry: &self.registry, stage, work }
    }
}

/// See [`Stages::within`].
pub(crate) struct Within<'a, F> {
    registry: &'a Registry,
    stage: Option<StageId>,
    work: F,
}

impl<F: Future + Unpin> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(stage) = self.stage else { return Pin::new(&mut self.work).poll(cx) };
        let before = self.registry.enter(Some(stage));
        let polled = Pin::new(&mut self.work).poll(cx);
        self.registry.enter(before);
        polled
    }
}
