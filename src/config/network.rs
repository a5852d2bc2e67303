//! IP networks and the classification of IP addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP network, such as `10.0.0.0/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    bits: u32,
}

impl Network {
    /// Parses an address or a network in CIDR notation.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        // IPv4 addresses are compared in their IPv6-mapped form, which has a prefix of 96 bits.
        let (width, before) = match address {
            IpAddr::V4(_) => (32, 96),
            IpAddr::V6(_) => (128, 0),
        };
        let bits = bits.unwrap_or(width);
        (bits <= width).then(|| Network {
            address: number(address),
            bits: bits + before,
        })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let differing = self.address ^ number(address);
        differing.leading_zeros() >= self.bits
    }
}

/// Whether an address is on this machine or in a private network, where only the operator's proxies are.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Returns the address that stands for one client: an IPv4 address, or the /64 network of an IPv6 address, which a provider
/// assigns to one customer.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match canonical(address) {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn number(address: IpAddr) -> u128 {
    let mapped = |v4: Ipv4Addr| v4.to_ipv6_mapped();
    match canonical(address) {
        IpAddr::V4(v4) => mapped(v4).to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_begins_like_it() {
        for (network, address, contains) in [
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let found = Network::parse(network).unwrap();
            let address = address.parse().unwrap();
            assert_eq!(found.contains(address), contains, "{address} in {network}");
        }
        for text in ["", "desk", "10.0.0.0/33", "10.0.0.0/x", "2001:db8::/129"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn neighbors_behind_one_prefix_are_one_caller() {
        for (one, other, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
        ] {
            let of = |text: &str| household(text.parse().unwrap());
            assert_eq!(of(one) == of(other), is_same, "{one}, {other}");
        }
    }

    #[test]
    fn only_this_machine_and_private_networks_are_near() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("172.17.0.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("::ffff:10.0.0.1", true),
            ("203.0.113.7", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(address.parse().unwrap()), expected, "{address}");
        }
    }
}
