//! What the path alone decides, before anything of the request is looked at.
//!
//! Paths are compared as they were sent. Whatever could be read in two ways (escapes, empty or dotted
//! segments, another case, a trailing slash) is not anonymous.

use poem::http::Method;

use crate::{
    api::wire::{Plus, percent_decode},
    domain::alias::KeyAlias,
};

/// Paths that anyone may call.
const ANONYMOUS: [&str; 11] = [
    "/demo",
    "/demo/",
    "/docs",
    "/healthz",
    "/metrics",
    "/oauth2/token",
    "/openapi.json",
    "/readyz",
    "/v1/authmanager/authenticate/clientidsecretkey",
    "/v1/keymanager/actuator/health",
    "/v1/keymanager/actuator/info",
];

/// Beginnings of paths that anyone may call.
const ANONYMOUS_PREFIXES: [&str; 4] = ["/demo/", "/.well-known/", "/crl/", "/v1/jwks/"];

/// Where the demo's form leaves packets, which anyone may do, and its reviewer finds them, who needs a token.
const DEMO_INBOX: &str = "/demo/inbox";

const PUBLIC_CERTIFICATES: &str = "/v1/certificates/";

/// The form of answers that tell of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureForm {
    /// The reference system's envelope.
    Envelope,
    /// RFC 6749 5.2.
    OAuth,
    /// RFC 9457.
    Problem,
}

/// How large a body may be, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// JSON.
    Json,
    /// Packets and content, streamed.
    Packet,
    /// A few names and a secret.
    Credentials,
    /// A packet for the demo's inbox, read whole.
    DemoPacket,
}

/// What a path says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathClass {
    /// Whether it needs no token.
    pub(crate) anonymous: bool,
    /// Whether a token may stand in a cookie.
    pub(crate) cookies: bool,
    /// Whether pages of other sites may read the answer.
    pub(crate) public_certificate: bool,
    /// The form of failures.
    pub(crate) failures: FailureForm,
    /// The kind of body.
    pub(crate) body: BodyKind,
}

impl PathClass {
    /// The class of a request for `path`.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let keymanager = is_below(path, "/v1/keymanager");
        let authmanager = is_below(path, "/v1/authmanager");
        let oauth = path == "/oauth2/token";
        let public_certificate = is_public_certificate(method, path);
        let demo_upload = path == DEMO_INBOX && *method == Method::POST;
        Self {
            anonymous: public_certificate || demo_upload || is_anonymous(path),
            cookies: keymanager,
            public_certificate,
            failures: if keymanager || authmanager {
                FailureForm::Envelope
            } else if oauth {
                FailureForm::OAuth
            } else {
                FailureForm::Problem
            },
            body: if is_below(path, "/v1/packets") {
                BodyKind::Packet
            } else if demo_upload {
                BodyKind::DemoPacket
            } else if oauth || authmanager {
                BodyKind::Credentials
            } else {
                BodyKind::Json
            },
        }
    }

    /// The content type that operations under the path read.
    pub(crate) const fn content_type(self) -> &'static str {
        match (self.body, self.failures) {
            (BodyKind::Packet | BodyKind::DemoPacket, _) => "application/octet-stream",
            (_, FailureForm::OAuth) => "application/x-www-form-urlencoded",
            _ => "application/json",
        }
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_anonymous(path: &str) -> bool {
    let is_listed = ANONYMOUS.contains(&path)
        || ANONYMOUS_PREFIXES.iter().any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.split('/').all(is_plain_segment))
        });
    is_listed && !is_below(path, DEMO_INBOX)
}

/// A segment that can be read in one way only.
fn is_plain_segment(segment: &str) -> bool {
    let plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    plain && !is_dots(segment)
}

fn is_dots(segment: &str) -> bool {
    segment.bytes().all(|byte| byte == b'.')
}

/// `/v1/certificates/{application}/{reference}`, read only. The reference may hold characters that browsers
/// escape, so what counts is that both parts are an alias once decoded.
fn is_public_certificate(method: &Method, path: &str) -> bool {
    let read = *method == Method::GET || *method == Method::HEAD || *method == Method::OPTIONS;
    let alias = || {
        let (application, reference) = path.strip_prefix(PUBLIC_CERTIFICATES)?.split_once('/')?;
        let reference = percent_decode(reference, Plus::Literal)?;
        if is_dots(application) || is_dots(&reference) {
            return None;
        }
        KeyAlias::parse(application, &reference).ok()
    };
    read && alias().is_some_and(|alias| !alias.reference.is_master())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> PathClass {
        PathClass::of(&Method::GET, path)
    }

    #[test]
    fn the_anonymous_paths_are_exactly_these() {
        for path in [
            "/healthz",
            "/readyz",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/demo",
            "/demo/",
            "/demo/review.html",
            "/demo/settings.json",
            "/demo/assets/app-1.js",
            "/demo/inboxes",
            "/.well-known/jwks.json",
            "/crl/ROOT.crl",
            "/oauth2/token",
            "/v1/authmanager/authenticate/clientidsecretkey",
            "/v1/keymanager/actuator/health",
            "/v1/keymanager/actuator/info",
            "/v1/certificates/REGISTRATION/10001_110011",
            "/v1/certificates/REGISTRATION/a%3Ab%20c",
            "/v1/certificates/REGISTRATION/a:b@c",
        ] {
            assert!(get(path).anonymous, "{path}");
        }
    }

    #[test]
    fn everything_else_needs_a_token() {
        for path in [
            "",
            "*",
            "/",
            "//healthz",
            "/healthz/",
            "/Healthz",
            "/healthz%20",
            "/%68ealthz",
            "/healthz/../v1/clients",
            "/docs/",
            "/docs/x",
            "/demo//v1/clients",
            "/demo/../v1/clients",
            "/demo/./x",
            "/demo/...",
            "/demo/%2e%2e/v1/clients",
            "/demo/a;b",
            "/demo/a\\b",
            "/demox",
            "/demo/inbox",
            "/demo/inbox/",
            "/demo/inbox/0a6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a10",
            "/demo/inbox/x.js",
            "/.well-known",
            "/.well-known/",
            "/.well-known/../v1/clients",
            "/crl/",
            "/v1/keymanager/actuator",
            "/v1/keymanager/actuator/",
            "/v1/keymanager/actuator/health/",
            "/v1/keymanager/actuator/Health",
            "/v1/keymanager/actuator/env",
            "/v1/keymanager/encrypt",
            "/v1/keymanager",
            "/v1/clients",
            "/v1/packets/decrypt",
            "/v1/certificates",
            "/v1/certificates/",
            "/v1/certificates/REGISTRATION",
            "/v1/certificates/REGISTRATION/",
            "/v1/certificates/REGISTRATION/%20",
            "/v1/certificates/REGISTRATION/..",
            "/v1/certificates/REGISTRATION/%2e%2e",
            "/v1/certificates/../clients",
            "/v1/certificates/REGISTRATION/a/b",
            "/v1/certificates/REGISTRATION/a%2Fb",
            "/v1/certificates/REGISTRATION/a%",
            "/v1/certificates/REGISTRATION/a%00",
            "/v1/certificates/REG%49STRATION/a",
            "/v1/certificates//REGISTRATION/a",
            "/v1/Certificates/REGISTRATION/a",
        ] {
            assert!(!get(path).anonymous, "{path}");
        }
        assert!(!PathClass::of(&Method::POST, "/v1/certificates/REGISTRATION/a").anonymous);
    }

    #[test]
    fn anyone_may_leave_a_packet_in_the_demos_inbox_and_nothing_else() {
        let upload = PathClass::of(&Method::POST, "/demo/inbox");
        assert!(upload.anonymous && !upload.cookies);
        assert_eq!(upload.body, BodyKind::DemoPacket);
        for (method, path) in [
            (Method::HEAD, "/demo/inbox"),
            (Method::PUT, "/demo/inbox"),
            (Method::DELETE, "/demo/inbox"),
            (Method::OPTIONS, "/demo/inbox"),
            (Method::POST, "/demo/inbox/"),
            (Method::POST, "/demo/inbox/x"),
        ] {
            assert!(!PathClass::of(&method, path).anonymous, "{method} {path}");
        }
    }

    #[test]
    fn cookies_count_under_the_key_manager_only() {
        assert!(get("/v1/keymanager/encrypt").cookies);
        for path in ["/v1/clients", "/v1/keymanagerx", "/v1/packets/encrypt", "/V1/keymanager/encrypt"] {
            assert!(!get(path).cookies, "{path}");
        }
    }

    #[test]
    fn failures_have_the_form_of_their_callers() {
        assert_eq!(get("/v1/keymanager/nothing").failures, FailureForm::Envelope);
        assert_eq!(get("/v1/authmanager/x").failures, FailureForm::Envelope);
        assert_eq!(get("/oauth2/token").failures, FailureForm::OAuth);
        assert_eq!(get("/v1/clients").failures, FailureForm::Problem);
        assert_eq!(get("/v1/keymanagerx").failures, FailureForm::Problem);
    }
}
