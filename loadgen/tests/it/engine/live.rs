//! A test that is paused, resumed and turned up while it goes on.

use std::cell::Cell;
use std::time::Duration;

use loadgen::course::Percent;
use loadgen::executor::schedule::Stripe;
use loadgen::shard::Order;

use super::shop::{Script, Shop};
use super::{perform_as, perform_with};

const OPEN: &str = r#"
[scenarios.stock]
executor = "constant-arrival-rate"
exec = "check-inventory"
rate = 100
duration = "1s"
preAllocatedVUs = 100
"#;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn nothing_starts_in_a_pause_and_nothing_is_late_or_dropped_for_it() {
    let shop = Shop::open(Script::default());
    let (pause, resume) = (2, 8);
    let before = Cell::new(0);
    let outcome = perform_as(Stripe::WHOLE, OPEN, &shop.targets, |number, load, order| {
        if number == 0 {
            order(Order::Pause { at: ms(400) });
        }
        if number > pause + 2 && number <= resume {
            assert_eq!(load.elapsed(), ms(400), "plan time stands still");
            let started = load.count("iterations", &[]);
            assert_eq!(before.replace(started).max(40), started, "40 are due before 400 ms");
        }
        if number == resume {
            order(Order::Resume);
        }
    });
    assert_eq!(before.get(), 40);
    assert_eq!(outcome.count("iterations", &[]), 100);
    assert_eq!(outcome.count("dropped_iterations", &[]), 0);
    // The pause lasts for more than a second: whatever waited for its end would show that.
    assert!(outcome.percentile("send_lag", 100.0) < 1000.0);
}

#[test]
fn a_rate_turned_up_counts_from_its_moment_on() {
    let shop = Shop::open(Script::default());
    let outcome = perform_with(OPEN, &shop.targets, |number, order| {
        if number == 0 {
            order(Order::Rate { at: ms(500), rate: Percent::new(300) });
            order(Order::Rate { at: ms(900), rate: Percent::new(10) });
        }
    });
    // 50 in half a second at 100/s, 120 in 0.4 s at 300/s, one in 0.1 s at 10/s.
    assert_eq!(outcome.count("iterations", &[]), 171);
}

#[test]
fn a_closed_model_gets_more_users_and_loses_them_again() {
    let delay = ms(20);
    let shop = Shop::open(Script { order_delay: delay, ..Script::default() });
    for executor in [
        "executor = \"constant-vus\"\nvus = 3\nduration = \"2s\"",
        "executor = \"ramping-vus\"\nstartVUs = 3\nstages = [{ duration = \"2s\", target = 3 }]",
    ] {
        let toml = format!("[scenarios.orders]\n{executor}\nexec = \"place-order\"\n");
        let busy = Cell::new(0.0);
        let outcome = perform_as(Stripe::WHOLE, &toml, &shop.targets, |number, load, order| {
            match number {
                1 => order(Order::Rate { at: ms(0), rate: Percent::new(400) }),
                4 => order(Order::Rate { at: ms(0), rate: Percent::new(70) }),
                _ => {}
            }
            if number > 5 && load.elapsed() < ms(1900) {
                busy.set(load.gauge("vus", &[]).map_or(0.0, |vus| vus.value));
            }
        });
        assert_eq!(outcome.gauge_max("vus"), 12.0, "{executor}");
        assert_eq!(busy.get(), 2.0, "{executor}");
        assert_eq!(outcome.count("dropped_iterations", &[]), 0);
    }
}

#[test]
fn users_rest_in_a_pause() {
    let shop = Shop::open(Script { order_delay: ms(10), ..Script::default() });
    let toml = r#"
[scenarios.orders]
executor = "shared-iterations"
exec = "place-order"
vus = 2
iterations = 60
"#;
    let seen = Cell::new(0);
    let outcome = perform_as(Stripe::WHOLE, toml, &shop.targets, |number, load, order| {
        let ended = load.count("iterations", &[]);
        match number {
            0 => order(Order::Pause { at: ms(150) }),
            3 => seen.set(ended),
            4..=6 => assert_eq!(seen.get(), ended),
            7 => order(Order::Resume),
            _ => {}
        }
    });
    assert!(seen.get() < 60);
    assert_eq!(outcome.count("iterations", &[]), 60);
}

#[test]
fn a_paused_test_can_be_stopped() {
    let shop = Shop::open(Script::default());
    for executor in [
        "executor = \"constant-arrival-rate\"\nrate = 10\nduration = \"1s\"\npreAllocatedVUs = 5",
        "executor = \"ramping-vus\"\nstages = [{ duration = \"1s\", target = 3 }]",
        "executor = \"constant-vus\"\nvus = 3\nduration = \"1s\"",
        "executor = \"per-vu-iterations\"\nvus = 3\niterations = 5000",
        "executor = \"shared-iterations\"\nvus = 3\niterations = 5000",
    ] {
        let toml = format!("[scenarios.stock]\n{executor}\nexec = \"check-inventory\"\n");
        let outcome = perform_with(&toml, &shop.targets, |number, order| match number {
            0 => order(Order::Pause { at: ms(100) }),
            4 => order(Order::Stop),
            _ => {}
        });
        assert!(outcome.count("iterations", &[]) < 5000, "{executor}");
        assert_eq!(outcome.count("dropped_iterations", &[]), 0, "{executor}");
    }
}
