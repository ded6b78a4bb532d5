//! Recording a sample: every request pays for a handful. The goal is 40 ns each and no allocation.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use loadgen::metrics::Registry;

/// Samples recorded while allocations are counted.
const COUNTED: u64 = 10_000;

/// Records one sample.
type Record<'a> = Box<dyn FnMut() + 'a>;

fn benches(criterion: &mut Criterion) {
    let registry = Registry::new();
    let tags = [("name", "order"), ("status", "201")];
    let counter = registry.counter("http_reqs", &tags);
    let gauge = registry.gauge("vus", &tags);
    let rate = registry.rate("http_req_failed", &tags);
    let trend = registry.trend("http_req_duration", &tags);
    // Times all over the histogram: what is recorded next is not what lies in the cache.
    let mut micros = 17_u64;
    let mut time = move || {
        micros = (micros * 48_271) % 2_147_483_647;
        Duration::from_micros(micros % 300_000)
    };
    let mut all: [(&str, Record<'_>); 4] = [
        ("counter", Box::new(|| registry.add(counter, black_box(1)))),
        ("gauge", Box::new(|| registry.set(gauge, black_box(7.0)))),
        ("rate", Box::new(|| registry.record(rate, black_box(false)))),
        ("trend", Box::new(|| registry.observe(trend, black_box(time())))),
    ];
    let mut group = criterion.benchmark_group("record");
    for (name, record) in &mut all {
        let allocations = allocation_counter::measure(|| (0..COUNTED).for_each(|_| record()));
        assert_eq!(allocations.count_total, 0, "recording into a {name} allocates");
        group.bench_function(*name, |bencher| bencher.iter(&mut *record));
    }
    group.finish();
}

criterion_group!(recording, benches);
criterion_main!(recording);
