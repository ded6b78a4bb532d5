//! Whether people want colours: not with `--no-color`, and not where `NO_COLOR` is set (no-color.org).

use std::sync::atomic::{AtomicBool, Ordering};

static REFUSED: AtomicBool = AtomicBool::new(false);

/// No colours from now on, in this process.
pub fn refuse() {
    REFUSED.store(true, Ordering::Relaxed);
}

#[must_use]
pub fn is_wanted() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && !REFUSED.load(Ordering::Relaxed)
}
