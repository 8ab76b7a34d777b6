//! Callers that show no token: known by their certificate, or by their network.

use std::{collections::HashMap, net::IpAddr};

use poem::{
    Request,
    http::{HeaderMap, header},
};

use super::PathClass;
use crate::{
    api::{network::Senders, serve::PeerCertificate},
    config::Settings,
    domain::{client::ClientId, network::Networks},
};

/// Who callers without a token are.
pub(crate) struct WithoutToken {
    by_certificate: HashMap<String, ClientId>,
    networks: Networks,
    in_networks: Option<ClientId>,
}

impl WithoutToken {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            by_certificate: settings.certificate_clients(),
            networks: settings.tokenless_networks(),
            in_networks: settings.tokenless_client(),
        }
    }

    /// The client that the caller counts as. Networks count under `/v1/keymanager` only, where the clients are that
    /// send no tokens; and not for what an unknown proxy has passed on, since then anyone may have sent it.
    pub(crate) fn client(&self, request: &Request, class: PathClass, senders: &Senders) -> Option<&ClientId> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return None;
        }
        let certificate = request.data::<PeerCertificate>();
        let mut names = certificate.iter().flat_map(|certificate| &certificate.names);
        if let Some(client) = names.find_map(|name| self.by_certificate.get(name)) {
            return Some(client);
        }
        let in_networks = self.in_networks.as_ref().filter(|_| class.cookies)?;
        let is_direct = senders.is_trusted_proxy(request) || !was_passed_on(request.headers());
        let is_inside = |address: IpAddr| self.networks.contain(address);
        (is_direct && senders.address(request).is_some_and(is_inside)).then_some(in_networks)
    }
}

fn was_passed_on(headers: &HeaderMap) -> bool {
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
        .into_iter()
        .any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use poem::{
        Addr,
        http::Method,
        web::{LocalAddr, RemoteAddr},
    };

    use super::*;
    use crate::config;

    fn settings() -> Settings {
        let mut settings = config::load(
            None,
            [
                ("KUNJI_TRUSTED_PROXIES", "10.0.0.1"),
                ("KUNJI_TOKENLESS_NETWORKS", "192.0.2.0/24"),
                ("KUNJI_TOKENLESS_CLIENT", "mosip"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
        .unwrap();
        settings.certificate_clients.insert("dns:packets.svc".to_owned(), "packets".to_owned());
        settings
    }

    fn client(peer: &str, path: &str, headers: &[(&'static str, &str)], names: &[&str]) -> Option<String> {
        let settings = settings();
        let (method, uri) = (Method::POST, path.parse().unwrap());
        let mut builder = Request::builder().method(method.clone()).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let request = builder.finish();
        let class = PathClass::of(&method, path);
        let (mut parts, body) = request.into_parts();
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        parts.state.remote_addr = RemoteAddr(Addr::from(peer));
        parts.state.local_addr = LocalAddr::default();
        let mut request = Request::from_parts(parts, body);
        if !names.is_empty() {
            request.set_data(PeerCertificate { names: names.iter().map(|&name| name.to_owned()).collect() });
        }
        let found = WithoutToken::new(&settings);
        let found = found.client(&request, class, &Senders::new(&settings));
        found.map(|client| client.as_str().to_owned())
    }

    const DECRYPT: &str = "/v1/keymanager/decrypt";

    #[test]
    fn a_network_is_known_under_the_key_manager() {
        let known = |peer, path, headers: &[_]| client(peer, path, headers, &[]).is_some();
        assert_eq!(client("192.0.2.7", DECRYPT, &[], &[]).as_deref(), Some("mosip"));
        assert!(!known("198.51.100.1", DECRYPT, &[]));
        assert!(!known("192.0.2.7", "/v1/clients", &[]));
        assert!(!known("192.0.2.7", "/v1/packets/decrypt", &[]));
        // A token that is not accepted is no token that is missing.
        assert!(!known("192.0.2.7", DECRYPT, &[("authorization", "Basic eDp5")]));
    }

    #[test]
    fn only_a_trusted_proxy_may_stand_between() {
        let known = |peer, header, value| client(peer, DECRYPT, &[(header, value)], &[]).is_some();
        assert!(known("10.0.0.1", "x-forwarded-for", "192.0.2.7"));
        assert!(!known("10.0.0.1", "x-forwarded-for", "198.51.100.1"));
        for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-proto"] {
            assert!(!known("192.0.2.7", header, "192.0.2.8"), "{header}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_its_names() {
        let by = |names: &[&str]| client("198.51.100.1", "/v1/packets/decrypt", &[], names);
        assert_eq!(by(&["subject:CN=x", "dns:packets.svc"]).as_deref(), Some("packets"));
        assert_eq!(by(&["subject:CN=packets.svc", "dns:other.svc"]), None);
        assert_eq!(by(&["email:packets.svc"]), None);
    }
}
