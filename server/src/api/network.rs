//! Whose request it is.

use std::net::IpAddr;

use poem::{
    Addr, Request,
    http::{HeaderMap, HeaderName, header},
};

use crate::{
    config::{ForwardedHeader, Settings},
    domain::network::{self, Networks},
};

/// Finds out who sent a request, through the proxies that are trusted.
pub(super) struct Senders {
    proxies: Networks,
    header: ForwardedHeader,
}

impl Senders {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { proxies: settings.trusted_proxies(), header: settings.forwarded_header }
    }

    /// Whether a trusted proxy passed the request on.
    pub(super) fn is_trusted_proxy(&self, request: &Request) -> bool {
        match &request.remote_addr().0 {
            Addr::SocketAddr(peer) => self.proxies.contain(peer.ip()),
            _ => false,
        }
    }

    /// The address of the sender of a request.
    pub(super) fn address(&self, request: &Request) -> Option<IpAddr> {
        let Addr::SocketAddr(peer) = &request.remote_addr().0 else { return None };
        if self.proxies.is_empty() {
            return Some(peer.ip().to_canonical());
        }
        let hops = hops(request.headers(), self.header);
        Some(network::sender(peer.ip(), hops.into_iter(), &self.proxies))
    }
}

/// The entries of the forwarding header, the nearest first.
fn hops(headers: &HeaderMap, form: ForwardedHeader) -> Vec<&str> {
    let name = match form {
        ForwardedHeader::Forwarded => header::FORWARDED,
        ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
    };
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    // Entry by entry: bytes that are no text must not hide what a proxy has written behind them.
    let entries = lines
        .into_iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .map(|entry| std::str::from_utf8(entry).unwrap_or_default());
    match form {
        ForwardedHeader::XForwardedFor => entries.collect(),
        ForwardedHeader::Forwarded => entries.map(forwarded_for).collect(),
    }
}

/// `for` of an element of `Forwarded` (RFC 7239 4), blank when there is none.
fn forwarded_for(element: &str) -> &str {
    element
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))
        .map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn the_nearest_entry_comes_first() {
        let headers = headers(&[
            ("x-forwarded-for", "203.0.113.9, 192.0.2.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43, For=\"[2001:db8::1]:80\""),
            ("forwarded", "proto=https"),
        ]);
        let found = hops(&headers, ForwardedHeader::XForwardedFor);
        assert_eq!(found, ["10.0.0.2", " 192.0.2.1", "203.0.113.9"]);
        let found = hops(&headers, ForwardedHeader::Forwarded);
        assert_eq!(found, ["", "\"[2001:db8::1]:80\"", "192.0.2.60"]);
    }

    #[test]
    fn what_a_caller_wrote_does_not_hide_what_a_proxy_wrote() {
        for (name, form, line, expected) in [
            ("x-forwarded-for", ForwardedHeader::XForwardedFor, &b"\xff, 192.0.2.1"[..], " 192.0.2.1"),
            ("forwarded", ForwardedHeader::Forwarded, b"for=\"\xff, for=192.0.2.1", "192.0.2.1"),
        ] {
            let mut map = HeaderMap::new();
            map.append(name, HeaderValue::from_bytes(line).unwrap());
            assert_eq!(hops(&map, form).first(), Some(&expected), "{name}");
        }
    }
}
