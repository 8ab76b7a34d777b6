//! Where a request carries its token.

use poem::http::{HeaderMap, HeaderValue, header};

/// A token as it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// `Authorization: Bearer`, or something that claims to be one.
    Header(&'a str),
    /// A cookie whose name contains `Authorization`.
    Cookie(&'a str),
    /// None.
    Missing,
}

/// Finds the token: the `Authorization` header wins; a cookie counts only where `cookies` says so. Clients
/// whose authentication is switched off send `None` as their token, which is none.
pub(crate) fn credential(headers: &HeaderMap, cookies: bool) -> Credential<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    if let (Some(value), another) = (values.next(), values.next()) {
        let bearer = value.to_str().ok().and_then(bearer_token);
        match (bearer, another) {
            (Some(token), None) => return Credential::Header(token),
            // Two headers contradict each other: neither counts, nor does a cookie behind them.
            (_, Some(_)) => return Credential::Missing,
            (None, None) => {}
        }
    }
    if !cookies {
        return Credential::Missing;
    }
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.contains("Authorization"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .find(|value| !value.is_empty() && *value != "None")
        .map_or(Credential::Missing, Credential::Cookie)
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Whether a browser sent the request for a page of another site than ours and those in `allowed`. Requests
/// that browsers did not make say nothing of this kind.
pub(crate) fn is_foreign(headers: &HeaderMap, allowed: &[String]) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    if allowed.iter().any(|entry| entry == origin) {
        return false;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), host) {
        (Some((scheme, authority)), Some(host)) => {
            let port = if scheme == "https" { ":443" } else { ":80" };
            let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
            bare(authority) != bare(host)
        }
        _ => true,
    }
}

/// Whether a browser sent the request for a page that is not of those in `allowed`, be it one of the very name that the
/// request was sent to: any name can be made to lead to this server (DNS rebinding).
pub(crate) fn is_of_unlisted_page(headers: &HeaderMap, allowed: &[String]) -> bool {
    let listed = |origin: &HeaderValue| allowed.iter().any(|entry| entry.as_bytes() == origin.as_bytes());
    is_foreign(headers, allowed) || headers.get(header::ORIGIN).is_some_and(|origin| !listed(origin))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[track_caller]
    fn assert_credential(pairs: &[(&str, &str)], cookies: bool, expected: Credential<'_>) {
        assert!(credential(&headers(pairs), cookies) == expected, "{pairs:?}");
    }

    #[test]
    fn the_header_is_a_bearer_token() {
        assert_credential(&[("authorization", "Bearer a.b.c")], false, Credential::Header("a.b.c"));
        assert_credential(&[("authorization", "bearer a.b.c")], false, Credential::Header("a.b.c"));
        assert_credential(&[("authorization", "Basic YTpi")], false, Credential::Missing);
        assert_credential(&[("authorization", "a.b.c")], false, Credential::Missing);
        assert_credential(
            &[("authorization", "Bearer a"), ("authorization", "Bearer b"), ("cookie", "Authorization=c")],
            true,
            Credential::Missing,
        );
    }

    #[test]
    fn a_cookie_counts_where_it_may() {
        let cookie = [("cookie", "x=1; Authorization=a.b.c; y=2")];
        assert_credential(&cookie, true, Credential::Cookie("a.b.c"));
        assert_credential(&cookie, false, Credential::Missing);
        assert_credential(&[("cookie", "X-Authorization-Y=\"a.b.c\"")], true, Credential::Cookie("a.b.c"));
        assert_credential(&[("cookie", "authorization=a.b.c")], true, Credential::Missing);
        assert_credential(&[("cookie", "x=Authorization")], true, Credential::Missing);
    }

    #[test]
    fn none_is_no_token() {
        assert_credential(&[("cookie", "Authorization=None")], true, Credential::Missing);
        assert_credential(&[("cookie", "Authorization=")], true, Credential::Missing);
        assert_credential(
            &[("cookie", "Authorization=None"), ("cookie", "Authorization=a.b.c")],
            true,
            Credential::Cookie("a.b.c"),
        );
    }

    #[test]
    fn the_header_wins() {
        let both = [("cookie", "Authorization=a"), ("authorization", "Bearer b")];
        assert_credential(&both, true, Credential::Header("b"));
    }

    #[test]
    fn pages_of_other_sites_are_foreign() {
        let allowed = ["https://forms.example".to_owned()];
        let foreign = |pairs: &[(&str, &str)]| is_foreign(&headers(pairs), &allowed);
        assert!(!foreign(&[]));
        assert!(!foreign(&[("host", "kunji.example")]));
        assert!(!foreign(&[("host", "kunji.example"), ("origin", "https://kunji.example")]));
        assert!(!foreign(&[("host", "Kunji.example:443"), ("origin", "https://kunji.example")]));
        assert!(!foreign(&[("host", "localhost:8088"), ("origin", "http://localhost:8088")]));
        assert!(!foreign(&[("host", "kunji.example"), ("origin", "https://forms.example")]));
        assert!(!foreign(&[("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("sec-fetch-site", "none")]));
        assert!(foreign(&[("host", "kunji.example"), ("origin", "https://evil.example")]));
        assert!(foreign(&[("host", "kunji.example"), ("origin", "https://kunji.example:8443")]));
        assert!(foreign(&[("host", "kunji.example"), ("origin", "null")]));
        assert!(foreign(&[("origin", "https://kunji.example")]));
        assert!(foreign(&[("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn a_page_is_not_trusted_for_the_name_that_it_was_sent_to() {
        let allowed = ["https://forms.example".to_owned()];
        let unlisted = |pairs: &[(&str, &str)]| is_of_unlisted_page(&headers(pairs), &allowed);
        assert!(unlisted(&[("host", "evil.example"), ("origin", "http://evil.example")]));
        assert!(unlisted(&[("host", "kunji.example"), ("sec-fetch-site", "cross-site")]));
        assert!(!unlisted(&[("host", "kunji.example"), ("origin", "https://forms.example")]));
        assert!(!unlisted(&[("host", "kunji.example")]));
    }

    #[test]
    fn a_star_does_not_admit_cookies_of_every_site() {
        let page = headers(&[("host", "kunji.example"), ("origin", "https://evil.example")]);
        assert!(is_foreign(&page, &["*".to_owned()]));
    }
}
