//! Inventory reservation: what the service calls, beside the specification's lock around a map (§2.2).
//!
//! Every figure is the time of one reservation as one thread sees it. `bare` reserves pieces only;
//! `idempotent` also checks that the order was not decided before. Contended means two threads at once.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use contract::ids::{OrderId, ProductId};
use criterion::{Criterion, criterion_group, criterion_main};
use services::inventory::ledger::{Ledger, Reservation};
use services::inventory::stock::Stock;
use uuid::Uuid;

/// Enough that no measurement runs out.
const PLENTY: u32 = u32::MAX;
/// Orders in one measured round: a fresh map after each, so that growth counts and size stays alike.
const ROUND: usize = 20_000;

/// One way to keep stock.
trait Inventory: Sync {
    fn new(pieces: u32) -> Self;
    fn reserve(&self, order: OrderId, product: ProductId) -> bool;
}

/// The specification's: one lock, one map by name.
struct LockedMap(Mutex<HashMap<String, i64>>);

impl Inventory for LockedMap {
    fn new(pieces: u32) -> Self {
        let stock = ProductId::ALL.map(|product| (product.to_string(), i64::from(pieces)));
        Self(Mutex::new(stock.into_iter().collect()))
    }

    fn reserve(&self, _: OrderId, product: ProductId) -> bool {
        let mut stock = self.0.lock().expect("no thread panics");
        take(&mut stock, product)
    }
}

/// The specification's lock, with the same check that no order is decided twice.
struct LockedMapIdempotent(Mutex<(HashMap<String, i64>, HashSet<OrderId>)>);

impl Inventory for LockedMapIdempotent {
    fn new(pieces: u32) -> Self {
        let stock = ProductId::ALL.map(|product| (product.to_string(), i64::from(pieces)));
        Self(Mutex::new((stock.into_iter().collect(), HashSet::new())))
    }

    fn reserve(&self, order: OrderId, product: ProductId) -> bool {
        let mut guard = self.0.lock().expect("no thread panics");
        let (stock, decided) = &mut *guard;
        decided.insert(order) && take(stock, product)
    }
}

fn take(stock: &mut HashMap<String, i64>, product: ProductId) -> bool {
    match stock.get_mut(product.as_str()) {
        Some(pieces) if *pieces >= 1 => {
            *pieces -= 1;
            true
        }
        _ => false,
    }
}

impl Inventory for Stock {
    fn new(pieces: u32) -> Self {
        Self::new(|_| pieces)
    }

    fn reserve(&self, _: OrderId, product: ProductId) -> bool {
        Self::reserve(self, product, 1)
    }
}

impl Inventory for Ledger {
    fn new(pieces: u32) -> Self {
        Self::new(Stock::new(|_| pieces))
    }

    fn reserve(&self, order: OrderId, product: ProductId) -> bool {
        Self::reserve(self, order, product, 1) == Reservation::Reserved
    }
}

/// Order ids of thread `thread`, as random as the shop's.
fn orders(thread: u64) -> Vec<OrderId> {
    let namespace = Uuid::from_u128(u128::from(thread));
    (0..ROUND).map(|n| OrderId(Uuid::new_v5(&namespace, &n.to_le_bytes()))).collect()
}

/// The time that `threads` threads take for `iterations` reservations each.
fn reserve<I: Inventory>(
    iterations: u64,
    threads: usize,
    pieces: u32,
    products: usize,
) -> Duration {
    let ids: Vec<Vec<OrderId>> = (0..threads as u64).map(orders).collect();
    let mut total = Duration::ZERO;
    let mut left = usize::try_from(iterations).unwrap_or(usize::MAX);
    while left > 0 {
        let round = left.min(ROUND);
        let inventory = I::new(pieces);
        let barrier = Barrier::new(threads);
        let work = |ids: &[OrderId]| {
            barrier.wait();
            let start = Instant::now();
            for (n, order) in ids[..round].iter().enumerate() {
                black_box(inventory.reserve(*order, ProductId::ALL[n % products]));
            }
            start.elapsed()
        };
        let slowest = std::thread::scope(|scope| {
            let running: Vec<_> = ids.iter().map(|ids| scope.spawn(|| work(ids))).collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).max()
        });
        total += slowest.unwrap_or_default();
        left -= round;
    }
    total
}

fn cases<I: Inventory>(criterion: &mut Criterion, group: &str, name: &str) {
    let mut group = criterion.benchmark_group(group);
    for (case, threads, pieces, products) in [
        ("one product, free", 1, PLENTY, 1),
        ("one product, 2 threads", 2, PLENTY, 1),
        ("three products, free", 1, PLENTY, 3),
        ("three products, 2 threads", 2, PLENTY, 3),
        ("sold out, free", 1, 0, 1),
        ("sold out, 2 threads", 2, 0, 1),
    ] {
        group.bench_function(format!("{case}/{name}"), |bencher| {
            bencher.iter_custom(|n| reserve::<I>(n, threads, pieces, products));
        });
    }
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    cases::<Stock>(criterion, "reserve bare", "doorbuster");
    cases::<LockedMap>(criterion, "reserve bare", "lock around a map");
    cases::<Ledger>(criterion, "reserve idempotent", "doorbuster");
    cases::<LockedMapIdempotent>(criterion, "reserve idempotent", "lock around a map");
}

criterion_group! {
    name = inventory;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = benches
}
criterion_main!(inventory);
