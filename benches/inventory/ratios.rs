//! How much faster the service reserves than the specification's lock around a map, with two threads at once.
//!
//! Both sides take turns, race by race, so that whatever else the machine does meets both; the median of the
//! pairs is the figure.

use std::time::Duration;

use services::inventory::ledger::Ledger;
use services::inventory::stock::Stock;

use crate::kinds::{Inventory, LockedMap, LockedMapIdempotent};
use crate::race::{ROUND, Race};

const THREADS: u64 = 2;
/// Pairs of races behind one figure.
const PAIRS: usize = 101;
/// Enough that nobody is turned away.
const PLENTY: u32 = u32::MAX;
/// So few that it runs out while both threads reserve.
const SCARCE: u32 = 10_000;

/// Goals of this project, for two threads at once.
const BARE: f64 = 4.0;
const IDEMPOTENT: f64 = 2.5;

pub(crate) fn print() {
    println!(
        "\ntimes faster than the specification's lock around a map, {THREADS} threads at once:"
    );
    let race = Race::of(THREADS);
    for (products, name) in [(1, "one product"), (3, "three products")] {
        row::<Stock, LockedMap>(&race, &format!("bare, {name}"), products, BARE);
        row::<Ledger, LockedMapIdempotent>(
            &race,
            &format!("idempotent, {name}"),
            products,
            IDEMPOTENT,
        );
    }
    println!("never oversold: each race sold exactly what there was, or what was wanted");
}

fn row<Ours: Inventory, Theirs: Inventory>(race: &Race, name: &str, products: usize, goal: f64) {
    race.run::<Ours>(ROUND, SCARCE, products);
    race.run::<Theirs>(ROUND, SCARCE, products);
    let mut ratios: Vec<f64> = (0..PAIRS).map(|_| pair::<Ours, Theirs>(race, products)).collect();
    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [PAIRS / 10, PAIRS / 2, PAIRS - 1 - PAIRS / 10].map(|at| ratios[at]);
    let verdict = if median >= goal { "met" } else { "MISSED" };
    println!(
        "  {name:<27} {median:5.2}  ({low:.2} to {high:.2} in eight of ten pairs; goal {goal:.1}: {verdict})"
    );
}

fn pair<Ours: Inventory, Theirs: Inventory>(race: &Race, products: usize) -> f64 {
    let seconds = |took: Duration| took.as_secs_f64();
    let ours = seconds(race.run::<Ours>(ROUND, PLENTY, products));
    seconds(race.run::<Theirs>(ROUND, PLENTY, products)) / ours
}
