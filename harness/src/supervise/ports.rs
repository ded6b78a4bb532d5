//! Ports that a child comes back to: ones that the kernel gives to no outgoing connection. From the range it
//! does give away, a connection of anybody could take a killed child's port before its successor has it.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Above the known ports of the shop.
const FIRST: u16 = 10_000;
/// Where Linux gives ports away from when it does not say.
const DEFAULT_FIRST_GIVEN: u16 = 32_768;
/// Ports that are looked at before the kernel is asked for any.
const LOOKS: usize = 1_000;

/// A port that is free now; 0, for any, when there is none.
#[must_use]
pub fn lasting() -> u16 {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let kept = not_given(text.as_deref().unwrap_or_default());
    if kept.is_empty() {
        return 0;
    }
    let candidates = std::iter::repeat_with(|| rand::random_range(kept.clone()));
    candidates.take(LOOKS).find(|port| is_free(*port)).unwrap_or(0)
}

/// Nobody listens there on this machine.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// What lies below the range that the kernel gives away, from its first and last port.
fn not_given(range: &str) -> Range<u16> {
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    FIRST..first.unwrap_or(DEFAULT_FIRST_GIVEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_gives_away_is_left_alone() {
        assert_eq!(not_given("32768\t60999\n"), 10_000..32_768);
        assert_eq!(not_given("15000 65535"), 10_000..15_000);
        assert_eq!(not_given("no range"), 10_000..32_768);
        assert!(not_given("1024 65535").is_empty());
    }

    #[test]
    fn a_port_that_somebody_has_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        assert_ne!(lasting(), listener.local_addr().unwrap().port());
    }
}
