//! A value that can be lent to another thread as it is now, while its owner goes on changing it.

use std::ops::Deref;
use std::sync::Arc;

/// Lending costs nothing; the first change while the value is still lent copies it. Without a lender the
/// owner pays one comparison, where reference counting would cost two atomic operations for each change.
#[derive(Debug)]
pub(crate) enum Lendable<T> {
    Own(T),
    Lent(Arc<T>),
}

impl<T: Clone + Default> Lendable<T> {
    /// The value as it is now, for as long as the borrower likes.
    pub(crate) fn lend(&mut self) -> Arc<T> {
        let lent = match std::mem::take(self) {
            Self::Own(value) => Arc::new(value),
            Self::Lent(lent) => lent,
        };
        *self = Self::Lent(Arc::clone(&lent));
        lent
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        if let Self::Lent(lent) = self {
            *self = Self::Own(Arc::unwrap_or_clone(std::mem::take(lent)));
        }
        match self {
            Self::Own(value) => value,
            Self::Lent(lent) => Arc::make_mut(lent),
        }
    }
}

impl<T> Deref for Lendable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Own(value) => value,
            Self::Lent(lent) => lent,
        }
    }
}

impl<T: Default> Default for Lendable<T> {
    fn default() -> Self {
        Self::Own(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_stays_as_it_was() {
        let mut value = Lendable::Own(vec![1]);
        let lent = value.lend();
        let again = value.lend();
        value.get_mut().push(2);
        assert_eq!((&*lent, &*again, &*value), (&vec![1], &vec![1], &vec![1, 2]));
    }

    #[test]
    fn a_loan_that_was_given_back_costs_no_copy() {
        let mut value = Lendable::Own(vec![1]);
        let place = value.as_ptr();
        drop(value.lend());
        value.get_mut()[0] = 7;
        assert_eq!(value.as_ptr(), place);
    }
}
