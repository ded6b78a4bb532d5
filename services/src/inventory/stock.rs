//! Pieces in stock, reserved without a lock.
//!
//! What is available of a product lies in several stripes, each on a cache line of its own. A thread
//! reserves from its own stripe with one compare-and-swap that nobody else contends for; only when that
//! stripe runs out are the others gathered in. So threads do not slow each other down, and still no
//! piece is sold twice and no order is turned away while its pieces are there.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use contract::ids::ProductId;

/// Threads beyond this number share stripes, which is correct and merely slower.
const STRIPES: usize = 8;
const STRIPES_I64: i64 = 8;

/// What there is of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Pieces in the house, the reserved ones among them.
    pub current: i64,
    /// Pieces that nobody has reserved.
    pub available: i64,
}

/// How an event changes the levels of its product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    pub current: i64,
    pub available: i64,
}

/// The stock of all products.
#[derive(Debug)]
pub struct Stock {
    products: [Pieces; ProductId::ALL.len()],
}

impl Stock {
    /// Stock with so many pieces of each product, none of them reserved.
    #[must_use]
    pub fn new(pieces: impl Fn(ProductId) -> u32) -> Self {
        Self { products: ProductId::ALL.map(|product| Pieces::new(i64::from(pieces(product)))) }
    }

    /// Reserves `quantity` pieces, all or none. False when there are not that many.
    pub fn reserve(&self, product: ProductId, quantity: u32) -> bool {
        self.of(product).reserve(i64::from(quantity))
    }

    /// Applies what the log says, whether or not there are pieces enough: it has happened.
    pub fn apply(&self, product: ProductId, change: Change) {
        let pieces = self.of(product);
        pieces.current.fetch_add(change.current, Ordering::AcqRel);
        if change.available != 0 {
            pieces.put(change.available);
        }
    }

    /// What there is.
    pub fn levels(&self, product: ProductId) -> Levels {
        let pieces = self.of(product);
        Levels { current: pieces.current.load(Ordering::Acquire), available: pieces.available() }
    }

    const fn of(&self, product: ProductId) -> &Pieces {
        &self.products[product as usize]
    }
}

/// On a cache line of its own (two, for processors that fetch pairs of them).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicI64);

#[derive(Debug)]
struct Pieces {
    stripes: [Stripe; STRIPES],
    current: AtomicI64,
    /// Movements into or between stripes that have begun, and that have ended. While both are equal
    /// and stay so, stripes only ever shrink, and a sum over them is an upper bound.
    begun: AtomicU64,
    ended: AtomicU64,
    gathering: Mutex<()>,
}

impl Pieces {
    fn new(pieces: i64) -> Self {
        let this = Self {
            stripes: Default::default(),
            current: AtomicI64::new(pieces),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            gathering: Mutex::new(()),
        };
        this.spread(pieces);
        this
    }

    fn reserve(&self, quantity: i64) -> bool {
        self.home().take(quantity) || self.reserve_elsewhere(quantity)
    }

    /// The own stripe does not hold enough: gather all of them, or be certain that it is not enough.
    #[cold]
    fn reserve_elsewhere(&self, quantity: i64) -> bool {
        loop {
            if self.upper_bound().is_some_and(|bound| bound < quantity) {
                return false;
            }
            let _one_at_a_time = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
            self.begun.fetch_add(1, Ordering::SeqCst);
            let gathered: i64 =
                self.stripes.iter().map(|stripe| stripe.0.swap(0, Ordering::SeqCst)).sum();
            let enough = gathered >= quantity;
            self.spread(if enough { gathered - quantity } else { gathered });
            self.ended.fetch_add(1, Ordering::SeqCst);
            if enough {
                return true;
            }
        }
    }

    /// What is available at most, or nothing when pieces were moved meanwhile.
    fn upper_bound(&self) -> Option<i64> {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        if begun != ended {
            std::hint::spin_loop();
            return None;
        }
        let sum = self.sum();
        (self.begun.load(Ordering::SeqCst) == begun).then_some(sum)
    }

    fn available(&self) -> i64 {
        // While pieces are gathered they lie in no stripe.
        let _nobody_gathers = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        self.sum()
    }

    fn sum(&self) -> i64 {
        self.stripes.iter().map(|stripe| stripe.0.load(Ordering::SeqCst)).sum()
    }

    /// Adds `pieces` (or takes them away, below zero if need be) in the own stripe.
    fn put(&self, pieces: i64) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.home().0.fetch_add(pieces, Ordering::SeqCst);
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// Shares `pieces` out evenly; what does not divide goes to the own stripe.
    fn spread(&self, pieces: i64) {
        let each = pieces / STRIPES_I64;
        if each != 0 {
            for stripe in &self.stripes {
                stripe.0.fetch_add(each, Ordering::SeqCst);
            }
        }
        self.home().0.fetch_add(pieces - each * STRIPES_I64, Ordering::SeqCst);
    }

    fn home(&self) -> &Stripe {
        &self.stripes[home_index()]
    }
}

impl Stripe {
    fn take(&self, quantity: i64) -> bool {
        let enough = |held: i64| (held >= quantity).then(|| held - quantity);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, enough).is_ok()
    }
}

/// The calling thread's stripe.
fn home_index() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: Cell<Option<usize>> = const { Cell::new(None) };
    }
    HOME.with(|home| {
        home.get().unwrap_or_else(|| {
            let index = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
            home.set(Some(index));
            index
        })
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const PRODUCT: ProductId = ProductId::Product2;

    fn stock(pieces: u32) -> Stock {
        Stock::new(|product| if product == PRODUCT { pieces } else { 0 })
    }

    #[test]
    fn all_or_nothing() {
        let stock = stock(10);
        assert!(!stock.reserve(PRODUCT, 11));
        assert!(stock.reserve(PRODUCT, 7));
        assert!(!stock.reserve(PRODUCT, 4));
        assert!(stock.reserve(PRODUCT, 3));
        assert!(!stock.reserve(ProductId::Product1, 1));
        assert_eq!(stock.levels(PRODUCT), Levels { current: 10, available: 0 });
        stock.apply(PRODUCT, Change { current: -7, available: 0 });
        stock.apply(PRODUCT, Change { current: 0, available: 3 });
        assert_eq!(stock.levels(PRODUCT), Levels { current: 3, available: 3 });
    }

    proptest! {
        /// Against a plain number.
        #[test]
        fn agrees_with_a_plain_number(
            pieces in 0..500_u32,
            steps in prop::collection::vec((any::<bool>(), 1..60_u32), 0..200),
        ) {
            let (stock, mut plain) = (stock(pieces), i64::from(pieces));
            for (reserve, quantity) in steps {
                let wanted = i64::from(quantity);
                if reserve {
                    prop_assert_eq!(stock.reserve(PRODUCT, quantity), plain >= wanted);
                    plain -= if plain >= wanted { wanted } else { 0 };
                } else {
                    stock.apply(PRODUCT, Change { current: 0, available: wanted });
                    plain += wanted;
                }
                prop_assert_eq!(stock.levels(PRODUCT).available, plain);
            }
        }
    }

    #[test]
    fn threads_sell_exactly_what_there_is() {
        const PIECES: u32 = 20_000;
        let stock = stock(PIECES);
        let sell = || -> u32 {
            let wanted = (0..PIECES).map(|n| 1 + n % 3);
            wanted.filter(|quantity| stock.reserve(PRODUCT, *quantity)).sum()
        };
        let sold: u32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(sell)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(sold, PIECES);
        assert_eq!(stock.levels(PRODUCT).available, 0);
    }

    #[test]
    fn pieces_that_come_back_are_never_overlooked() {
        // Two threads, one piece: whoever gives it back must be able to reserve it again, unless the
        // other has it in between.
        let stock = stock(2);
        let borrow = || {
            for _ in 0..50_000 {
                assert!(stock.reserve(PRODUCT, 1));
                stock.apply(PRODUCT, Change { current: 0, available: 1 });
            }
        };
        thread::scope(|scope| {
            scope.spawn(borrow);
            scope.spawn(borrow);
        });
        assert_eq!(stock.levels(PRODUCT).available, 2);
    }
}
