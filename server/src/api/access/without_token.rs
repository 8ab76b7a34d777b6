//! Callers that show no token: known by their certificate, or by their network.

use std::{collections::HashMap, net::IpAddr};

use poem::http::{HeaderMap, header};

use super::PathClass;
use crate::{
    api::serve::PeerCertificate,
    config::Settings,
    domain::{client::ClientId, network::Networks, time::Timestamp},
};

/// What is known of a caller beside a token.
pub(crate) struct Caller<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The certificate of its connection.
    pub(crate) certificate: Option<&'a PeerCertificate>,
    /// The sender's address.
    pub(crate) address: Option<IpAddr>,
    /// Whether a trusted proxy has passed the request on.
    pub(crate) by_trusted_proxy: bool,
    /// The time.
    pub(crate) now: Timestamp,
}

/// Whom a caller without a token counts as.
#[derive(Clone, Copy)]
pub(crate) struct KnownClient<'a> {
    pub(crate) id: &'a ClientId,
    /// Until when its certificate says so; `None` when its network alone does.
    pub(crate) until: Option<Timestamp>,
}

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

    /// The client that the caller counts as. A certificate that has ended since it was shown is none. Networks count under
    /// `/v1/keymanager` only, where the clients are that send no tokens; and not for what an unknown proxy has passed on,
    /// since then anyone may have sent it.
    pub(crate) fn client(&self, caller: &Caller<'_>, class: PathClass) -> Option<KnownClient<'_>> {
        if caller.headers.contains_key(header::AUTHORIZATION) {
            return None;
        }
        let certificate = caller.certificate.filter(|certificate| caller.now < certificate.ends);
        let found = certificate.and_then(|certificate| {
            let id = certificate.names.iter().find_map(|name| self.by_certificate.get(name))?;
            Some(KnownClient { id, until: Some(certificate.ends) })
        });
        if found.is_some() {
            return found;
        }
        let is_direct = caller.by_trusted_proxy || !was_passed_on(caller.headers);
        let is_inside = caller.address.is_some_and(|address| self.networks.contain(address));
        let inside = self.in_networks.as_ref().filter(|_| class.cookies && is_direct && is_inside);
        inside.map(|id| KnownClient { id, until: None })
    }
}

fn was_passed_on(headers: &HeaderMap) -> bool {
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
        .into_iter()
        .any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderValue, Method};

    use super::*;
    use crate::config;

    fn settings() -> Settings {
        let mut settings = config::load(
            None,
            [("KUNJI_TOKENLESS_NETWORKS", "192.0.2.0/24"), ("KUNJI_TOKENLESS_CLIENT", "mosip")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
        .unwrap();
        settings.certificate_clients.insert("dns:packets.svc".to_owned(), "packets".to_owned());
        settings
    }

    fn client(
        address: &str,
        by_trusted_proxy: bool,
        path: &str,
        header: Option<(&'static str, &'static str)>,
        names: &[&str],
    ) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = PeerCertificate { ends: Timestamp::from_seconds(100), names };
        let caller = Caller {
            now: Timestamp::from_millis(99_999),
            headers: &headers,
            certificate: Some(&certificate).filter(|certificate| !certificate.names.is_empty()),
            address: Some(address.parse().unwrap()),
            by_trusted_proxy,
        };
        let known = WithoutToken::new(&settings());
        let found = known.client(&caller, PathClass::of(&Method::POST, path));
        found.map(|client| client.id.as_str().to_owned())
    }

    const DECRYPT: &str = "/v1/keymanager/decrypt";

    #[test]
    fn a_network_is_known_under_the_key_manager() {
        let known = |address, path, header| client(address, false, path, header, &[]).is_some();
        assert_eq!(client("192.0.2.7", false, DECRYPT, None, &[]).as_deref(), Some("mosip"));
        assert!(!known("198.51.100.1", DECRYPT, None));
        assert!(!known("192.0.2.7", "/v1/clients", None));
        assert!(!known("192.0.2.7", "/v1/packets/decrypt", None));
        // A token that is not accepted is no token that is missing.
        assert!(!known("192.0.2.7", DECRYPT, Some(("authorization", "Basic eDp5"))));
    }

    #[test]
    fn only_a_trusted_proxy_may_stand_between() {
        for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-proto"] {
            let known = |trusted| client("192.0.2.7", trusted, DECRYPT, Some((header, "x")), &[]).is_some();
            assert!(known(true) && !known(false), "{header}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_its_names() {
        let by = |names: &[&str]| client("198.51.100.1", false, "/v1/packets/decrypt", None, names);
        assert_eq!(by(&["subject:CN=x", "dns:packets.svc"]).as_deref(), Some("packets"));
        assert_eq!(by(&["subject:CN=packets.svc", "dns:other.svc"]), None);
        assert_eq!(by(&["email:packets.svc"]), None);
    }

    #[test]
    fn a_certificate_counts_until_it_ends_however_old_its_connection() {
        let (known, headers) = (WithoutToken::new(&settings()), HeaderMap::new());
        let ends = Timestamp::from_seconds(100);
        let certificate = PeerCertificate { ends, names: vec!["dns:packets.svc".to_owned()] };
        let at = |millis| {
            let caller = Caller {
                headers: &headers,
                certificate: Some(&certificate),
                address: None,
                by_trusted_proxy: false,
                now: Timestamp::from_millis(millis),
            };
            known.client(&caller, PathClass::of(&Method::POST, DECRYPT)).map(|client| client.until)
        };
        assert_eq!(at(99_999), Some(Some(ends)));
        assert_eq!(at(100_000), None);
    }
}
