//! Client addresses. Every iteration leases one, round-robin, so that a thousand orders a second come from
//! as many clients as the shop's per-client limits expect.

use std::net::{IpAddr, Ipv4Addr};

/// Addresses in the pool. At 1000 iterations a second each is used every 16 s.
pub(crate) const POOL_SIZE: u32 = 16_384;
/// The first address: 127.16.0.0. All of 127.0.0.0/8 is this machine, without any set-up.
const FIRST: u32 = 0x7f10_0000;

/// Hands out addresses, one after the other.
#[derive(Debug)]
pub(crate) struct Leases {
    next: u32,
    first: u32,
    size: u32,
}

impl Leases {
    /// Shards lease from parts of the pool that do not overlap.
    pub(crate) fn new(shard: u32, shards: u32) -> Self {
        let size = (POOL_SIZE / shards).max(1);
        Self { next: 0, first: FIRST + shard * size, size }
    }

    pub(crate) fn lease(&mut self) -> IpAddr {
        let address = self.first + self.next;
        self.next = (self.next + 1) % self.size;
        IpAddr::V4(Ipv4Addr::from_bits(address))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_address_comes_once_a_round_and_shards_share_none() {
        let mut leases = [Leases::new(0, 2), Leases::new(1, 2)];
        let seen: HashSet<_> = leases
            .iter_mut()
            .flat_map(|leases| (0..POOL_SIZE / 2).map(|_| leases.lease()).collect::<Vec<_>>())
            .collect();
        assert_eq!(seen.len(), POOL_SIZE as usize);
        assert!(seen.iter().all(IpAddr::is_loopback));
        assert_eq!(leases[0].lease(), IpAddr::V4(Ipv4Addr::new(127, 16, 0, 0)));
    }
}
