//! Networks, whose address counts when a proxy stands in front, and what counts as one peer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

/// Most addresses of a forwarding header that are looked at.
const MAX_HOPS: usize = 32;

/// A list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks (`192.0.2.0/24`, `2001:db8::/32`) and single addresses; the first text that is neither is the
    /// error.
    ///
    /// # Errors
    /// The text.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        texts
            .iter()
            .map(|text| parse_network(text.as_ref()).ok_or_else(|| text.as_ref().to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the address is in one of the networks.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads a network or a single address. One of IPv4 that is written as IPv6 (`::ffff:192.0.2.0/120`) is the network of
/// IPv4: addresses are compared in that form.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address()).ok()?;
    let mapped = match network {
        IpNet::V6(network) => network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    Some(match mapped {
        Some((address, length)) => Ipv4Net::new(address, length).ok()?.into(),
        None => network,
    })
}

/// The address of whoever sent a request: of the peer, or, where the peer is a trusted proxy, the last one before the
/// trusted proxies in the list of those that it was sent for. `hops` are the entries of the forwarding header, the
/// nearest first; what comes after one that is no address was not written by a proxy of ours, and does not count.
pub fn sender<'a>(peer: IpAddr, hops: impl Iterator<Item = &'a str>, trusted: &Networks) -> IpAddr {
    let mut sender = peer.to_canonical();
    for hop in hops.take(MAX_HOPS) {
        if !trusted.contain(sender) {
            break;
        }
        let Some(address) = parse_hop(hop) else { break };
        sender = address.to_canonical();
    }
    sender
}

/// An address, perhaps with a port, perhaps quoted: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `"[2001:db8::1]:80"`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Stands for every peer that has no address of its own here.
pub const SHARED: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The network that whoever has this address controls: the address itself, or its IPv6 network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks::parse(texts).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_their_addresses() {
        let networks = networks(&["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
        for inside in ["192.0.2.255", "::ffff:192.0.2.1", "2001:db8:1::1", "198.51.100.7"] {
            assert!(networks.contain(address(inside)), "{inside}");
        }
        let mapped = Networks::parse(&["::ffff:192.0.2.0/120", "::ffff:198.51.100.7"]).unwrap();
        for inside in ["192.0.2.255", "::ffff:192.0.2.1", "198.51.100.7"] {
            assert!(mapped.contain(address(inside)), "{inside}");
        }
        assert!(!mapped.contain(address("192.0.3.0")) && !mapped.contain(address("198.51.100.8")));
        for outside in ["192.0.3.0", "2001:db9::1", "198.51.100.8", "::1"] {
            assert!(!networks.contain(address(outside)), "{outside}");
        }
        assert_eq!(Networks::parse(&["192.0.2.0/24", "192.0.2.0/33"]), Err("192.0.2.0/33".to_owned()));
        assert!(Networks::parse(&["proxy.example"]).is_err() && Networks::parse(&[""]).is_err());
    }

    #[track_caller]
    fn assert_sender(peer: &str, hops: &[&str], expected: &str) {
        let trusted = networks(&["10.0.0.0/8", "::1"]);
        let found = sender(address(peer), hops.iter().copied(), &trusted);
        assert_eq!(found, address(expected), "{hops:?}");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_sender("192.0.2.1", &["198.51.100.1"], "192.0.2.1");
        assert_sender("10.0.0.1", &[], "10.0.0.1");
        assert_sender("10.0.0.1", &["192.0.2.1"], "192.0.2.1");
        // What the caller wrote itself stands behind its own address.
        assert_sender("10.0.0.1", &["192.0.2.1", "203.0.113.9"], "192.0.2.1");
        assert_sender("10.0.0.1", &["10.1.0.1", "192.0.2.1", "10.9.9.9"], "192.0.2.1");
        assert_sender("10.0.0.1", &["10.1.0.1"], "10.1.0.1");
        assert_sender("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1");
    }

    #[test]
    fn entries_are_addresses_in_any_usual_form() {
        for (text, expected) in [
            (" 192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("\"[2001:db8::1]:80\"", "2001:db8::1"),
        ] {
            assert_sender("::1", &[text], expected);
        }
        for text in ["unknown", "_hidden", "", "192.0.2", "192.0.2.1, 10.0.0.1"] {
            assert_sender("::1", &[text, "192.0.2.1"], "::1");
        }
    }

    #[test]
    fn a_list_without_end_is_not_followed() {
        let hops = vec!["10.0.0.2"; 100_000];
        assert_sender("10.0.0.1", &hops, "10.0.0.2");
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:3"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
