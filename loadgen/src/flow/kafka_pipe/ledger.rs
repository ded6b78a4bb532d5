//! Which messages of a partition were acknowledged and which came back. Two bits for each message that is
//! still open; what is settled is forgotten, so a long run needs no more memory than a short one.

use std::collections::VecDeque;

const WORD_BITS: u64 = u64::BITS as u64;

/// Acknowledged and received, for 64 messages in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    acknowledged: u64,
    received: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: u64,
    /// Words before the first of `open`: all their messages were received.
    settled: u64,
    open: VecDeque<Word>,
}

/// What an arrival was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    First,
    Repeated,
    /// A number that was never given out.
    Foreign,
}

impl Ledger {
    /// The number of the next message.
    pub(super) fn issue(&mut self) -> u64 {
        let sequence = self.next;
        self.next += 1;
        if self.settled + (self.open.len() as u64) <= sequence / WORD_BITS {
            self.open.push_back(Word::default());
        }
        sequence
    }

    fn word(&mut self, sequence: u64) -> Option<&mut Word> {
        let index = (sequence / WORD_BITS).checked_sub(self.settled)?;
        self.open.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn acknowledge(&mut self, sequence: u64) {
        if let Some(word) = self.word(sequence) {
            word.acknowledged |= 1 << (sequence % WORD_BITS);
        }
    }

    pub(super) fn receive(&mut self, sequence: u64) -> Arrival {
        if sequence >= self.next {
            return Arrival::Foreign;
        }
        let Some(word) = self.word(sequence) else { return Arrival::Repeated };
        let bit = 1 << (sequence % WORD_BITS);
        if word.received & bit != 0 {
            return Arrival::Repeated;
        }
        word.received |= bit;
        while self.open.front().is_some_and(|word| word.received == u64::MAX) {
            self.open.pop_front();
            self.settled += 1;
        }
        Arrival::First
    }

    /// Acknowledged and not received.
    pub(super) fn missing(&self) -> u64 {
        let missing = |word: &Word| u64::from((word.acknowledged & !word.received).count_ones());
        self.open.iter().map(missing).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn losses_and_repeats_are_told_apart() {
        let mut ledger = Ledger::default();
        let numbers: Vec<_> = (0..200).map(|_| ledger.issue()).collect();
        assert!(numbers.iter().copied().eq(0..200));
        for sequence in 0..150 {
            ledger.acknowledge(sequence);
        }
        assert_eq!(ledger.missing(), 150);
        for sequence in (0..200).filter(|sequence| *sequence != 70) {
            assert_eq!(ledger.receive(sequence), Arrival::First);
        }
        assert_eq!(ledger.missing(), 1);
        assert_eq!(ledger.receive(3), Arrival::Repeated, "in a settled word");
        assert_eq!(ledger.receive(71), Arrival::Repeated, "in an open word");
        assert_eq!(ledger.receive(200), Arrival::Foreign);
        assert_eq!(ledger.receive(70), Arrival::First);
        assert_eq!(ledger.missing(), 0);
        assert_eq!(ledger.open.len(), 1);
    }

    proptest! {
        #[test]
        fn memory_follows_what_is_open(delay in 0_u64..500) {
            let mut ledger = Ledger::default();
            for _ in 0..10_000 {
                let sequence = ledger.issue();
                ledger.acknowledge(sequence);
                if let Some(late) = sequence.checked_sub(delay) {
                    prop_assert_eq!(ledger.receive(late), Arrival::First);
                }
                prop_assert!(ledger.open.len() as u64 <= delay / WORD_BITS + 2);
            }
            prop_assert_eq!(ledger.missing(), delay);
        }
    }
}
