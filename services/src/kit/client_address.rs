//! Which client a request comes from, when there may be proxies between.
//!
//! `X-Forwarded-For` is believed only from a peer that is a trusted proxy, and there only from the right:
//! each proxy appends whom it saw, so that everything left of the first stranger may be invented.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address block such as `10.0.0.0/8`, `fd00::/8` or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cidr {
    network: u128,
    prefix_bits: u32,
}

/// The text is no address block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address block: write 10.0.0.0/8, fd00::/8 or one address")]
pub(crate) struct InvalidCidr(String);

/// IPv4 addresses as IPv6 sees them, so that one rule serves both, mapped addresses included.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(prefix_bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix_bits).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let invalid = || InvalidCidr(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let width = if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let prefix: u32 = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => width,
        };
        if prefix > width {
            return Err(invalid());
        }
        let prefix_bits = prefix + (Ipv6Addr::BITS - width);
        Ok(Self { network: bits(address) & mask(prefix_bits), prefix_bits })
    }
}

impl Cidr {
    fn contains(self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix_bits) == self.network
    }
}

/// The proxies whose word is believed: address blocks, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<Cidr>);

impl FromStr for TrustedProxies {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let blocks = text.split(',').map(str::trim).filter(|block| !block.is_empty());
        blocks.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }

    /// The address of the client behind `peer`: the peer itself unless it is a trusted proxy, then the
    /// rightmost hop that is not one. Where the header breaks off (nothing there, or no address), the
    /// last hop that was believed counts.
    pub(crate) fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut believed = peer.to_canonical();
        if !self.trust(believed) {
            return believed;
        }
        // Several header lines are one list, in their order.
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for hop in line.to_str().unwrap_or("").rsplit(',') {
                let Some(address) = hop_address(hop.trim()) else { return believed };
                believed = address.to_canonical();
                if !self.trust(believed) {
                    return believed;
                }
            }
        }
        believed
    }
}

/// A hop as proxies write it: an address, with a port at times, IPv6 in brackets then.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let proxies: TrustedProxies = proxies.parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client_address(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("", "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn behind_a_proxy_the_rightmost_stranger_counts_and_the_left_may_lie() {
        let proxies = "10.0.0.0/8, fd00::/8";
        assert_eq!(client(proxies, "10.1.1.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
        let behind_two = &["1.1.1.1, 198.51.100.7, 10.2.2.2"];
        assert_eq!(client(proxies, "10.1.1.1", behind_two), "198.51.100.7");
        let in_two_lines = &["1.1.1.1", "198.51.100.7, 10.2.2.2"];
        assert_eq!(client(proxies, "fd00::1", in_two_lines), "198.51.100.7");
    }

    #[test]
    fn a_header_that_breaks_off_names_the_last_believed_hop() {
        assert_eq!(client("10.0.0.0/8", "10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(client("10.0.0.0/8", "10.1.1.1", &["unknown, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(client("10.0.0.0/8", "10.1.1.1", &["10.3.3.3,10.2.2.2"]), "10.3.3.3");
    }

    #[test]
    fn hops_come_with_ports_and_brackets_and_mapped() {
        let proxies = "127.0.0.1";
        assert_eq!(client(proxies, "127.0.0.1", &["198.51.100.7:443"]), "198.51.100.7");
        assert_eq!(client(proxies, "127.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client(proxies, "127.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client(proxies, "::ffff:127.0.0.1", &["::ffff:192.0.2.9"]), "192.0.2.9");
    }

    #[test]
    fn blocks_end_where_they_end() {
        let block: Cidr = "10.0.0.0/9".parse().unwrap();
        assert!(block.contains("10.127.255.255".parse().unwrap()));
        assert!(!block.contains("10.128.0.0".parse().unwrap()));
        let everything: Cidr = "::/0".parse().unwrap();
        assert!(everything.contains("203.0.113.1".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0/8", "::/129", "host", "10.0.0.0/"] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }
}
