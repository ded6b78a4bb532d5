//! Inventory reservation: what the service calls, beside the specification's lock around a map (§2.2).
//!
//! Every figure is the time of one reservation as one thread sees it. `bare` reserves pieces only;
//! `idempotent` also checks that the order was not decided before. At the end it prints how many times faster
//! the service is when two threads reserve at once, beside the goal.

mod kinds;
mod race;
mod ratios;

use std::time::Duration;

use criterion::{Criterion, criterion_group};
use kinds::{Inventory, LockedMap, LockedMapIdempotent};
use race::{ROUND, Race};
use services::inventory::ledger::Ledger;
use services::inventory::stock::Stock;

/// The binary's: maps that grow are measured with the allocator that the services have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough that no measurement runs out.
const PLENTY: u32 = u32::MAX;

/// The time that each thread takes for `iterations` reservations.
fn reserve<I: Inventory>(iterations: u64, race: &Race, pieces: u32, products: usize) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = usize::try_from(iterations).unwrap_or(usize::MAX);
    while left > 0 {
        let round = left.min(ROUND);
        total += race.run::<I>(round, pieces, products);
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
        let race = Race::of(threads);
        group.bench_function(format!("{case}/{name}"), |bencher| {
            bencher.iter_custom(|n| reserve::<I>(n, &race, pieces, products));
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

fn main() {
    inventory();
    Criterion::default().configure_from_args().final_summary();
    ratios::print();
}
