//! A token bucket per client address (specification §5.2), and a count of what a client holds open.
//!
//! Pure: the caller says what time it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;

/// Buckets held at once: 16 bytes each.
const MAX_BUCKETS: usize = 200_000;

/// Below this many buckets nobody looks for full ones.
const MIN_SWEEP: usize = 1024;

/// When all buckets are in use, how often it is looked for full ones.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Whom a bucket belongs to: an IPv4 address, or a block of IPv6 addresses that one client has all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(u64);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            // `::/32` is reserved, so that no IPv6 client has the number of an IPv4 one.
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            // The upper half: every subscriber has a whole /64.
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }
}

/// What the bucket said to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `None` when admitted; else how long until the next token.
    pub wait: Option<Duration>,
    /// Tokens in a full bucket.
    pub limit: u32,
    /// Tokens left.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
}

/// Token buckets of one size and one rate.
///
/// A bucket is one number: the moment at which it will be full. A token taken moves that moment by one
/// interval, and time fills the bucket by passing. A bucket whose moment has passed is as good as none, so
/// it can be forgotten.
#[derive(Debug)]
pub(crate) struct Buckets {
    limit: u32,
    /// Time in which one token comes back.
    interval: Duration,
    full_at: HashMap<Client, Duration, RandomState>,
    capacity: usize,
    /// How many buckets make the next sweep worth its while.
    sweep_at: usize,
    swept_at: Duration,
}

impl Buckets {
    /// Buckets of `per_minute` tokens that refill within a minute. None for 0: no limit.
    pub(crate) fn per_minute(per_minute: u32) -> Option<Self> {
        Self::with_capacity(per_minute, MAX_BUCKETS)
    }

    fn with_capacity(per_minute: u32, capacity: usize) -> Option<Self> {
        let interval = Duration::from_secs(60).checked_div(per_minute)?;
        Some(Self {
            limit: per_minute,
            interval,
            full_at: HashMap::default(),
            capacity,
            sweep_at: MIN_SWEEP.min(capacity),
            swept_at: Duration::ZERO,
        })
    }

    /// Takes a token of `client` at `now` (time since any fixed moment).
    pub(crate) fn take(&mut self, client: Client, now: Duration) -> Verdict {
        let depth = self.interval * self.limit;
        let full_at = self.full_at.get(&client).copied().unwrap_or(now).max(now);
        let taken = full_at + self.interval;
        if taken > now + depth {
            return self.verdict(Some(taken - depth - now), full_at - now);
        }
        if self.has_room_for(client, now) {
            self.full_at.insert(client, taken);
        }
        self.verdict(None, taken - now)
    }

    /// Gives a token back that was taken for nothing.
    pub(crate) fn give_back(&mut self, client: Client, now: Duration) -> Verdict {
        let reset = match self.full_at.get_mut(&client) {
            Some(full_at) => {
                *full_at = full_at.saturating_sub(self.interval);
                full_at.saturating_sub(now)
            }
            None => Duration::ZERO,
        };
        self.verdict(None, reset)
    }

    fn verdict(&self, wait: Option<Duration>, reset: Duration) -> Verdict {
        let used = reset.as_nanos().div_ceil(self.interval.as_nanos().max(1));
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        Verdict { wait, limit: self.limit, remaining: self.limit.saturating_sub(used), reset }
    }

    /// Whether the bucket of `client` can be kept. When more clients than there is room for come within
    /// a minute, the newest are admitted without one: a limit per client does not help against such a
    /// crowd, and shutting the newcomers out would do its work.
    fn has_room_for(&mut self, client: Client, now: Duration) -> bool {
        if self.full_at.len() < self.sweep_at || self.full_at.contains_key(&client) {
            return true;
        }
        let saturated = self.sweep_at == self.capacity;
        if !saturated || now >= self.swept_at + SWEEP_INTERVAL {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = now;
            // Twice what is in use: each sweep is paid for by as many newcomers.
            self.sweep_at =
                (self.full_at.len() * 2).clamp(MIN_SWEEP.min(self.capacity), self.capacity);
        }
        self.full_at.len() < self.capacity
    }
}

/// How many of something each client holds at this moment.
#[derive(Debug, Default)]
pub(crate) struct Held(HashMap<Client, u32, RandomState>);

impl Held {
    /// Counts one more, unless `client` holds `limit` already.
    pub(crate) fn acquire(&mut self, client: Client, limit: u32) -> bool {
        let held = self.0.entry(client).or_default();
        if *held >= limit {
            return false;
        }
        *held += 1;
        true
    }

    /// Counts one less; a client that holds none is forgotten.
    pub(crate) fn release(&mut self, client: Client) {
        if let Some(held) = self.0.get_mut(&client) {
            *held -= 1;
            if *held == 0 {
                self.0.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(number: u32) -> Client {
        Client::from(IpAddr::from(number.to_be_bytes()))
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_of_the_limit_then_one_token_per_interval() {
        let mut buckets = Buckets::per_minute(10).unwrap();
        for left in (0..10).rev() {
            let verdict = buckets.take(client(1), seconds(100));
            assert_eq!((verdict.wait, verdict.limit, verdict.remaining), (None, 10, left));
        }
        let refused = buckets.take(client(1), seconds(100));
        assert_eq!(refused.wait, Some(seconds(6)));
        assert_eq!((refused.remaining, refused.reset), (0, seconds(60)));
        assert_eq!(buckets.take(client(1), seconds(103)).wait, Some(seconds(3)));
        assert_eq!(buckets.take(client(1), seconds(106)).wait, None);
        assert_eq!(buckets.take(client(1), seconds(106)).wait, Some(seconds(6)));
        assert_eq!(buckets.take(client(2), seconds(106)).wait, None, "each has its own");
        let rested = buckets.take(client(1), seconds(1000));
        assert_eq!((rested.remaining, rested.reset), (9, seconds(6)));
    }

    #[test]
    fn a_token_given_back_can_be_taken_again() {
        let mut buckets = Buckets::per_minute(1).unwrap();
        assert_eq!(buckets.take(client(1), seconds(5)).remaining, 0);
        let full = Verdict { wait: None, limit: 1, remaining: 1, reset: Duration::ZERO };
        assert_eq!(buckets.give_back(client(1), seconds(5)), full);
        assert_eq!(buckets.take(client(1), seconds(5)).wait, None);
        assert_eq!(buckets.take(client(1), seconds(5)).wait, Some(seconds(60)));
        assert_eq!(buckets.give_back(client(2), seconds(5)), full, "who took none has all");
    }

    #[test]
    fn no_limit_is_no_bucket() {
        assert!(Buckets::per_minute(0).is_none());
    }

    #[test]
    fn full_buckets_are_forgotten_and_others_kept() {
        let mut buckets = Buckets::per_minute(10).unwrap();
        for number in 0..10_000 {
            // One client a second: each bucket is full again after 6 s.
            assert!(buckets.take(client(number), seconds(u64::from(number))).wait.is_none());
            assert!(buckets.full_at.len() <= MIN_SWEEP);
        }
        let now = seconds(20_000);
        for _ in 0..10 {
            buckets.take(client(42), now);
        }
        for number in 100_000..102_000 {
            buckets.take(client(number), now);
        }
        assert!(buckets.take(client(42), now).wait.is_some(), "an empty bucket is no full one");
    }

    #[test]
    fn more_clients_than_room_are_bounded_and_served() {
        let mut buckets = Buckets::with_capacity(10, 100).unwrap();
        for number in 0..1000 {
            assert!(buckets.take(client(number), seconds(1)).wait.is_none());
        }
        assert_eq!(buckets.full_at.len(), 100);
        for _ in 0..10 {
            buckets.take(client(5), seconds(1));
        }
        assert!(buckets.take(client(5), seconds(1)).wait.is_some(), "who has a bucket keeps it");
        buckets.take(client(5000), seconds(300));
        assert_eq!(buckets.full_at.len(), 1, "the crowd has gone and its buckets with it");
    }

    #[test]
    fn an_ipv6_client_is_its_whole_block() {
        let of = |text: &str| Client::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }

    #[test]
    fn what_is_held_is_counted_per_client_and_forgotten_at_zero() {
        let mut held = Held::default();
        assert!(held.acquire(client(1), 2) && held.acquire(client(1), 2));
        assert!(!held.acquire(client(1), 2));
        assert!(held.acquire(client(2), 2));
        held.release(client(1));
        assert!(held.acquire(client(1), 2));
        for number in [1, 1, 2] {
            held.release(client(number));
        }
        assert!(held.0.is_empty());
    }

    proptest! {
        /// Whatever the arrivals: never more than the burst and what time gave back, and the figures
        /// that the client is told are true.
        #[test]
        fn never_more_than_burst_and_rate(gaps in prop::collection::vec(0_u64..20_000, 1..200)) {
            let mut buckets = Buckets::per_minute(10).unwrap();
            let (mut now, mut admitted) = (Duration::ZERO, 0_u128);
            for gap in gaps {
                now += Duration::from_millis(gap);
                let verdict = buckets.take(client(1), now);
                admitted += u128::from(verdict.wait.is_none());
                prop_assert!(admitted <= 10 + now.as_millis() / 6000);
                if let Some(wait) = verdict.wait {
                    prop_assert_eq!(verdict.remaining, 0);
                    prop_assert!(wait <= Duration::from_secs(6) && wait > Duration::ZERO);
                }
                prop_assert!(verdict.reset <= Duration::from_secs(60));
            }
        }
    }
}
