//! How far a partition may be committed while many of its records are in flight.

use std::collections::VecDeque;

/// Progress through one partition: only the contiguous prefix of finished records counts. `T` is what is
/// kept of each record until it is committable.
#[derive(Debug)]
pub(crate) struct Progress<T> {
    /// One past the last offset seen.
    next_offset: i64,
    /// Begun and not yet committable, ascending.
    begun: VecDeque<Begun<T>>,
    /// Of the last record that became committable.
    last: Option<T>,
}

#[derive(Debug)]
struct Begun<T> {
    offset: i64,
    finished: bool,
    note: T,
}

impl<T> Progress<T> {
    /// Starts at `next_offset`, the committed one.
    pub(crate) const fn new(next_offset: i64) -> Self {
        Self { next_offset, begun: VecDeque::new(), last: None }
    }

    /// Work on the record at `offset` begins. Offsets ascend.
    pub(crate) fn begin(&mut self, offset: i64, note: T) {
        self.begun.push_back(Begun { offset, finished: false, note });
        self.next_offset = offset + 1;
    }

    /// All records below `next_offset` have been seen: those that were not begun need no work.
    pub(crate) fn pass(&mut self, next_offset: i64) {
        self.next_offset = self.next_offset.max(next_offset);
    }

    /// The outputs of the record at `offset` are acknowledged. Whether it was in flight.
    pub(crate) fn finish(&mut self, offset: i64) -> bool {
        let Ok(index) = self.begun.binary_search_by_key(&offset, |begun| begun.offset) else {
            return false;
        };
        if std::mem::replace(&mut self.begun[index].finished, true) {
            return false;
        }
        while let Some(done) = self.begun.pop_front_if(|begun| begun.finished) {
            self.last = Some(done.note);
        }
        true
    }

    /// The offset to commit: everything before it is done.
    pub(crate) fn committable(&self) -> i64 {
        self.begun.front().map_or(self.next_offset, |begun| begun.offset)
    }

    /// What was noted of the last record below the committable offset, if one was begun.
    pub(crate) const fn last(&self) -> Option<&T> {
        self.last.as_ref()
    }

    /// What was noted of the records from the committable offset on.
    pub(crate) fn open(&self) -> impl Iterator<Item = &T> {
        self.begun.iter().map(|begun| &begun.note)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_holds_the_commit_back() {
        let mut progress = Progress::new(10);
        assert_eq!(progress.committable(), 10);
        progress.begin(10, 10);
        progress.begin(11, 11);
        progress.begin(13, 13);
        assert!(progress.finish(11));
        assert_eq!(progress.committable(), 10);
        assert!(progress.finish(10));
        assert_eq!(progress.committable(), 13);
        assert!(progress.finish(13));
        progress.pass(20);
        assert_eq!(progress.committable(), 20);
    }

    proptest! {
        /// Against the definition: the least offset that is begun and not finished.
        #[test]
        fn never_past_an_unfinished_record(
            steps in prop::collection::vec((any::<bool>(), 0..64_i64), 1..200),
        ) {
            let mut progress = Progress::new(0);
            let (mut unfinished, mut next) = (std::collections::BTreeSet::new(), 0);
            for (begin, number) in steps {
                if begin {
                    next += number % 3;
                    progress.pass(next);
                    progress.begin(next, next);
                    unfinished.insert(next);
                    next += 1;
                } else {
                    prop_assert_eq!(progress.finish(number), unfinished.remove(&number));
                }
                let expected = unfinished.first().copied().unwrap_or(next);
                prop_assert_eq!(progress.committable(), expected);
                prop_assert!(progress.last().is_none_or(|last| *last < expected));
                prop_assert!(progress.open().all(|open| *open >= expected));
            }
        }
    }
}
