//! A panic in a broker closes one connection and would go unnoticed: here it fails the test.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics of every broker in this process from now on.
pub(crate) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().name() == Some("broker") {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            usual(panic);
        }));
    });
}

pub(crate) fn assert_none() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a broker has panicked: see above");
}
