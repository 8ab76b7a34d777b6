//! Addresses on the web that the server itself reads from.

use std::net::IpAddr;

use url::{Host, Url};

/// The URL, if it is one that may be read: https, or http of this machine; without credentials in it.
pub fn readable_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
    };
    let encrypted = url.scheme() == "https" || (url.scheme() == "http" && local);
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (encrypted && bare).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_on_the_way_can_change_is_read() {
        for text in
            ["https://id.example/realms/r", "http://127.0.0.1:8080/x", "http://[::1]/", "http://localhost:1"]
        {
            assert!(readable_url(text).is_some(), "{text}");
        }
        for text in [
            "http://id.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "ftp://id.example",
            "https://user:secret@id.example",
            "https://id.example/#x",
            "https:",
            "id.example",
            "",
        ] {
            assert!(readable_url(text).is_none(), "{text}");
        }
    }
}
