//! The way of ended orders out of memory: written to the file, away from the reactor, then forgotten.

use std::io;
use std::sync::Arc;

use contract::ids::OrderId;
use tokio::task::JoinHandle;
use tracing::{error, info};

use super::super::domain::StoredOrder;
use super::super::view::SharedView;
use super::file::PastFile;
use super::place::Place;
use crate::kit::metrics::RETIRE_FAILURES;

/// Orders that leave memory at once.
pub(in crate::status) const MOST: usize = 10_000;

/// Fewer are not worth a write.
const FEWEST: usize = 500;

/// How many times more than wanted may be in memory before the log is read no further: the disk has to keep up.
const AHEAD: usize = 4;

/// An order on its way out.
pub(in crate::status) type Leaving = (OrderId, Arc<StoredOrder>);

/// Orders, and where they stand now if they could be written.
type Written = (Vec<Leaving>, io::Result<Vec<Place>>);

/// Keeps ended orders few in memory.
pub(in crate::status) struct Retirement {
    file: Arc<PastFile>,
    /// How many stay.
    recent: usize,
    writing: Option<JoinHandle<Written>>,
    /// Since when writing fails: it is tried at ticks only.
    failing: bool,
}

impl Retirement {
    pub(in crate::status) const fn new(file: Arc<PastFile>, recent: usize) -> Self {
        Self { file, recent, writing: None, failing: false }
    }

    /// After records: lets some go when there are too many. Waits for the disk when there are far too many.
    pub(in crate::status) async fn after_records(&mut self, view: &SharedView) {
        if self.failing {
            return;
        }
        let ended = view.lock().ended.len();
        if ended < self.recent + FEWEST {
            return;
        }
        let is_far_behind = ended > self.recent.saturating_mul(AHEAD).max(self.recent + 2 * MOST);
        self.go_on(view, is_far_behind).await;
    }

    /// Again and again: also finds that the disk takes something again.
    pub(in crate::status) async fn tick(&mut self, view: &SharedView) {
        self.go_on(view, false).await;
    }

    async fn go_on(&mut self, view: &SharedView, wait: bool) {
        if let Some(writing) = self.writing.take_if(|writing| wait || writing.is_finished()) {
            match writing.await {
                Ok(written) => self.settle(view, written),
                // The orders have only missed their turn to leave.
                Err(error) => error!(%error, "writing ended orders broke off"),
            }
        }
        if self.writing.is_some() {
            return;
        }
        let leaving = view.lock().leaving(self.recent, MOST, u64::MAX);
        if !leaving.is_empty() {
            let file = Arc::clone(&self.file);
            self.writing = Some(tokio::task::spawn_blocking(move || {
                let written = file.append(leaving.iter().map(|(_, order)| &**order));
                (leaving, written)
            }));
        }
    }

    fn settle(&mut self, view: &SharedView, (leaving, written): Written) {
        let mut view = view.lock();
        match written {
            Ok(places) => {
                if std::mem::take(&mut self.failing) {
                    info!("ended orders can be written again");
                }
                for ((order, shown), place) in leaving.iter().zip(places) {
                    view.left(*order, shown, Some(place));
                }
            }
            Err(error) => {
                view.ended.put_back(leaving.iter().map(|(order, _)| *order));
                RETIRE_FAILURES.add_to(&[], 1);
                if !std::mem::replace(&mut self.failing, true) {
                    let file = self.file.path().display();
                    error!(%file, %error, "ended orders stay in memory: they cannot be written");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::domain::{event, sample_id};
    use super::super::super::view::View;
    use super::super::Kept;
    use super::*;
    use contract::Timestamp;
    use contract::events::EventType;

    /// Lets go on until nothing is being written.
    async fn finish(retirement: &mut Retirement, view: &SharedView) {
        retirement.tick(view).await;
        while retirement.writing.is_some() {
            retirement.go_on(view, true).await;
            if retirement.failing {
                break;
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_stays_in_memory_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("ended.orders")).unwrap();
        let full = Arc::new(PastFile::open(folder.path()).unwrap());
        let mut kept = Kept::in_file(Arc::clone(&full));
        for event_type in
            [EventType::OrderCreated, EventType::InventoryRejected, EventType::NotificationSent]
        {
            let event = event(event_type);
            kept.fold(&event, "v1", Timestamp::default(), &event.encode());
        }
        let view = SharedView::default();
        *view.lock() = View::of(kept);
        let mut retirement = Retirement::new(full, 0);
        finish(&mut retirement, &view).await;
        assert!(retirement.failing);
        assert!(view.lock().known(sample_id()).is_some(), "it is not lost");

        let elsewhere = tempfile::tempdir().unwrap();
        retirement.file = Arc::new(PastFile::open(elsewhere.path()).unwrap());
        // What was begun with the full disk ends, and the next tick begins anew.
        retirement.go_on(&view, true).await;
        finish(&mut retirement, &view).await;
        assert!(!retirement.failing);
        assert!(view.lock().known(sample_id()).is_none());
        assert!(view.lock().place(sample_id()).is_some());
    }
}
