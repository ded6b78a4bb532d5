//! Two states at the same offsets, order by order. Pure.

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;

use contract::ids::OrderId;
use contract::replay::ReplayDifference;

use crate::kit::snapshot::Content;

/// Differences that are told one by one; the others are counted.
const EXAMPLES: usize = 20;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Findings {
    pub(super) compared: u64,
    pub(super) differences: u64,
    pub(super) examples: Vec<ReplayDifference>,
}

impl Findings {
    fn note(&mut self, order_id: OrderId, live: &[u8], replayed: &[u8]) {
        self.differences += 1;
        if self.examples.len() < EXAMPLES {
            let (live, replayed) = (hexadecimal(live), hexadecimal(replayed));
            self.examples.push(ReplayDifference { order_id, live, replayed });
        }
    }

    /// Compares a part of the live state with the same part of the replayed one, but for the orders in
    /// `outside`.
    pub(super) fn add<S: BuildHasher>(
        &mut self,
        live: &dyn Content,
        replayed: &dyn Content,
        outside: &HashSet<OrderId, S>,
    ) {
        let mut other = Vec::new();
        live.visit(&mut |order, entry| {
            if outside.contains(&order) {
                return;
            }
            self.compared += 1;
            other.clear();
            replayed.entry(order, &mut other);
            if other != entry {
                self.note(order, entry, &other);
            }
        });
        replayed.visit(&mut |order, entry| {
            if outside.contains(&order) {
                return;
            }
            other.clear();
            live.entry(order, &mut other);
            if other.is_empty() {
                self.compared += 1;
                self.note(order, &[], entry);
            }
        });
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string has no way to fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The replayed state, and the live one for the orders that were not replayed.
pub(super) struct Merged<S> {
    pub(super) live: Arc<dyn Content>,
    pub(super) replayed: Arc<dyn Content>,
    pub(super) outside: Arc<HashSet<OrderId, S>>,
}

impl<S: BuildHasher + Send + Sync> Content for Merged<S> {
    fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
        self.replayed.visit(&mut |order, entry| {
            if !self.outside.contains(&order) {
                each(order, entry);
            }
        });
        self.live.visit(&mut |order, entry| {
            if self.outside.contains(&order) {
                each(order, entry);
            }
        });
    }

    fn keep(&self, each: &mut dyn FnMut(OrderId, &[u8])) -> io::Result<()> {
        self.replayed.keep(&mut |order, entry| {
            if !self.outside.contains(&order) {
                each(order, entry);
            }
        })?;
        self.live.keep(&mut |order, entry| {
            if self.outside.contains(&order) {
                each(order, entry);
            }
        })
    }

    fn entry(&self, order: OrderId, out: &mut Vec<u8>) {
        let one = if self.outside.contains(&order) { &self.live } else { &self.replayed };
        one.entry(order, out);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Plain(BTreeMap<OrderId, Vec<u8>>);

    impl Content for Plain {
        fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
            self.0.iter().for_each(|(order, entry)| each(*order, entry));
        }

        fn entry(&self, order: OrderId, out: &mut Vec<u8>) {
            out.extend(self.0.get(&order).into_iter().flatten());
        }
    }

    fn id(name: &str) -> OrderId {
        OrderId::for_idempotency_key(name)
    }

    fn plain(entries: &[(&str, u8)]) -> Arc<dyn Content> {
        Arc::new(Plain(entries.iter().map(|(name, value)| (id(name), vec![*value])).collect()))
    }

    #[test]
    fn what_differs_what_is_missing_and_what_nobody_asked_for_is_found() {
        let live = plain(&[("same", 1), ("changed", 2), ("phantom", 3), ("old", 7)]);
        let replayed = plain(&[("same", 1), ("changed", 9), ("missing", 4)]);
        let mut findings = Findings::default();
        let outside = Arc::new(HashSet::from([id("old")]));
        findings.add(&*live, &*replayed, &outside);
        assert_eq!((findings.compared, findings.differences), (4, 3));
        let of = |name| findings.examples.iter().find(|found| found.order_id == id(name)).unwrap();
        assert_eq!((of("changed").live.as_str(), of("changed").replayed.as_str()), ("02", "09"));
        assert_eq!((of("phantom").replayed.as_str(), of("missing").live.as_str()), ("", ""));

        let merged = Merged { live, replayed, outside };
        let mut mended = BTreeMap::new();
        merged.visit(&mut |order, entry| assert_eq!(mended.insert(order, entry[0]), None));
        let expected = [("same", 1), ("changed", 9), ("missing", 4), ("old", 7)];
        assert_eq!(mended, expected.map(|(name, value)| (id(name), value)).into());
    }

    #[test]
    fn examples_are_few_however_much_differs() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let all: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut findings = Findings::default();
        findings.add(&*plain(&all), &*plain(&[]), &HashSet::<OrderId>::new());
        assert_eq!((findings.differences, findings.examples.len()), (100, EXAMPLES));
    }
}
