//! What a start finds: a snapshot and the file that it speaks of, or nothing that can be used.

use std::path::Path;
use std::sync::Arc;

use tracing::{error, warn};

use super::file::PastFile;
use super::{Kept, Place};
use crate::kit::metrics;
use crate::kit::snapshot::{Finder, Start, Unit};

/// The file for ended orders in this instance's `folder`; none where there can be no such file: then all orders
/// stay in memory, and a start folds the whole log.
pub(in crate::status) fn open(folder: &Path) -> Option<Arc<PastFile>> {
    match PastFile::open(folder) {
        Ok(file) => Some(Arc::new(file)),
        Err(error) => {
            warn!(folder = %folder.display(), %error, "ended orders stay in memory: there can be no file for them");
            None
        }
    }
}

/// All orders as far as a snapshot and the file know them, and where to read on.
pub(in crate::status) async fn begin(
    finder: &Finder,
    file: Option<Arc<PastFile>>,
) -> (Kept, Start) {
    let Some(file) = file else {
        return (Kept::default(), Start { without: 1, ..Start::default() });
    };
    let mut kept = Kept::in_file(Arc::clone(&file));
    let mut start = finder.restore(&mut kept, [Unit::Whole], |_| Ok(())).await;
    let fits = match start.strange {
        0 => file.cut_after(kept.last()).map_err(|error| error.to_string()),
        strange => Err(format!("{strange} orders of the snapshot make no sense")),
    };
    if let Err(reason) = fits {
        warn!(file = %file.path().display(), reason, "ended orders are read from the log again");
        metrics::SNAPSHOTS_REFUSED.add_to(&[], 1);
        metrics::SNAPSHOT_ORDERS_RESTORED.set(0.0);
        kept = Kept::in_file(Arc::clone(&file));
        start.refused.push(format!("{}: {reason}", file.path().display()));
        start = Start { refused: start.refused, without: 1, ..Start::default() };
    }
    if !start.refused.is_empty() {
        // They speak of what is cut off the file, and written over.
        start_over(finder, &file, start.without > 0);
    }
    (kept, start)
}

fn start_over(finder: &Finder, file: &PastFile, from_nothing: bool) {
    let removed = finder.remove(Unit::Whole);
    let cut = if from_nothing { file.cut_after(None) } else { Ok(()) };
    if let Err(error) = removed.and(cut) {
        error!(file = %file.path().display(), %error, "what cannot be used cannot be removed either");
    }
}

impl Kept {
    /// The order that stands last in the file.
    fn last(&self) -> Option<Place> {
        self.places.iter().map(|(_, place)| *place).max_by_key(|place| place.offset())
    }
}
