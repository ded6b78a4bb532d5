//! Which unknown event types have been told of already: a newer producer writes more than one record.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use contract::topics::Topic;

/// Types that are remembered; the names are the producers' to invent.
const MAX_TYPES: usize = 64;

/// Characters of a name that tell it apart.
const MAX_NAME: usize = 128;

/// The types that a process has met and does not know.
#[derive(Debug, Default)]
pub(crate) struct UnknownTypes(Mutex<HashSet<(Topic, String)>>);

impl UnknownTypes {
    /// Whether `name` has not been met before on `topic`. When too many have been, none is new any more.
    pub(crate) fn is_new(&self, topic: Topic, name: &str) -> bool {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= MAX_TYPES {
            return false;
        }
        met.insert((topic, name.chars().take(MAX_NAME).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_new_once_and_many_are_bounded() {
        let types = UnknownTypes::default();
        assert!(types.is_new(Topic::Orders, "OrderGiftWrapped"));
        assert!(!types.is_new(Topic::Orders, "OrderGiftWrapped"));
        assert!(types.is_new(Topic::Payment, "OrderGiftWrapped"));
        let new = (0..1_000).filter(|n| types.is_new(Topic::Orders, &n.to_string())).count();
        assert_eq!(new, MAX_TYPES - 2);
        assert!(!types.is_new(Topic::Orders, "yet another"));
    }
}
