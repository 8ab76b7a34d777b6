//! Files that are part of the program.

use std::collections::BTreeMap;

use bytes::Bytes;
use kunji_shared::encoding::encode_hex;
use poem::{
    Response,
    http::{HeaderMap, StatusCode, header},
};

use crate::{
    api::{native::Problem, transport::TransportError, wire::names_entity_tag},
    domain::digest::sha256,
};

const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// W3C, "Permissions Policy": the form's own camera button, and nothing else of the device.
const PERMISSIONS: &str =
    "camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

const INDEX: &str = "index.html";
const NOT_BUILT: &str =
    "The demo's pages are not part of this build. Run `make build`, which builds them first.\n";

/// Characters of the hash that the bundler puts into the names of assets.
const ASSET_HASH_CHARS: usize = 8;

/// Where the form is.
pub(super) fn entrance() -> Response {
    Response::builder().status(StatusCode::PERMANENT_REDIRECT).header(header::LOCATION, "/demo/").finish()
}

/// The pages by their path; one that is not listed does not exist.
pub(super) struct Pages(BTreeMap<&'static str, Page>);

struct Page {
    content: Bytes,
    content_type: &'static str,
    cache_control: &'static str,
    entity_tag: String,
}

impl Pages {
    pub(super) fn new(files: &[(&'static str, &'static [u8])]) -> Self {
        Self(files.iter().map(|&(name, content)| (name, Page::new(name, content))).collect())
    }

    /// Whether something is served under this name. Something is under the blank one, at least a word on why not more.
    pub(super) fn holds(&self, name: &str) -> bool {
        name.is_empty() || self.0.contains_key(name)
    }

    /// The page of this name, or 304 to a caller who has it; the blank name is that of the index.
    pub(super) fn answer(&self, headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
        let page = match self.0.get(if name.is_empty() { INDEX } else { name }) {
            Some(page) => page,
            None if name.is_empty() => return Ok(not_built()),
            None => return Err(TransportError::NotFound.into()),
        };
        let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known = tags.into_iter().any(|tags| names_entity_tag(tags, &page.entity_tag));
        let response = Response::builder()
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header("Permissions-Policy", PERMISSIONS)
            .header(header::CACHE_CONTROL, page.cache_control)
            .header(header::ETAG, &page.entity_tag);
        Ok(if is_known {
            response.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            response.content_type(page.content_type).body(page.content.clone())
        })
    }
}

impl Page {
    fn new(name: &str, content: &'static [u8]) -> Self {
        Self {
            content: Bytes::from_static(content),
            content_type: content_type(name),
            cache_control: if is_hashed_asset(name) {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            },
            entity_tag: format!("\"{}\"", encode_hex(&sha256(content))),
        }
    }
}

fn not_built() -> Response {
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .content_type("text/plain; charset=utf-8")
        .body(NOT_BUILT)
}

fn extension(name: &str) -> &str {
    name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension)
}

fn content_type(name: &str) -> &'static str {
    match extension(name) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether the name changes with the content: `assets/<name>-<hash>.<extension>`.
fn is_hashed_asset(name: &str) -> bool {
    let hash = || {
        let (stem, _) = name.strip_prefix("assets/")?.rsplit_once('.')?;
        let (start, hash) = stem.split_at_checked(stem.len().checked_sub(ASSET_HASH_CHARS)?)?;
        start.ends_with('-').then_some(hash)
    };
    hash().is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    const FILES: [(&str, &[u8]); 4] = [
        ("index.html", b"<!doctype html>form"),
        ("review.html", b"<!doctype html>review"),
        ("assets/index-B1x_-9Zq.js", b"export {}"),
        ("assets/kunji-DkT3Qw2a.wasm", b"\0asm"),
    ];

    fn answer(name: &str, known: Option<&str>) -> Result<Response, Problem> {
        let mut headers = HeaderMap::new();
        if let Some(known) = known {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
        }
        Pages::new(&FILES).answer(&headers, name)
    }

    #[tokio::test]
    async fn pages_have_their_type_policy_and_tag() {
        for (name, content_type, cache_control, content) in [
            ("", "text/html; charset=utf-8", "no-cache", FILES[0].1),
            ("index.html", "text/html; charset=utf-8", "no-cache", FILES[0].1),
            ("review.html", "text/html; charset=utf-8", "no-cache", FILES[1].1),
            (FILES[2].0, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", FILES[2].1),
            (FILES[3].0, "application/wasm", "public, max-age=31536000, immutable", FILES[3].1),
        ] {
            let mut page = answer(name, None).unwrap();
            assert_eq!(page.status(), StatusCode::OK);
            assert_eq!(page.content_type(), Some(content_type));
            assert_eq!(page.header(header::CACHE_CONTROL), Some(cache_control));
            let policy = page.header(header::CONTENT_SECURITY_POLICY).unwrap();
            assert!(
                policy.starts_with("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "),
                "{policy}"
            );
            for word in ["'unsafe-", "blob:", "data:", "*"] {
                assert!(!policy.contains(word), "{policy}");
            }
            let permissions = page.header("permissions-policy").unwrap();
            assert!(
                permissions.starts_with("camera=(self), ") && !permissions.contains('*'),
                "{permissions}"
            );
            let tag = page.header(header::ETAG).unwrap().to_owned();
            assert_eq!(page.take_body().into_bytes().await.unwrap(), content);

            let mut again = answer(name, Some(&tag)).unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(again.header(header::ETAG), Some(&*tag));
            assert_eq!(again.header(header::CACHE_CONTROL), Some(cache_control));
            assert!(again.take_body().into_bytes().await.unwrap().is_empty());
            assert_eq!(answer(name, Some("\"other\"")).unwrap().status(), StatusCode::OK);
        }
    }

    #[test]
    fn what_is_not_listed_does_not_exist() {
        for name in [
            "..",
            "../index.html",
            "./index.html",
            "/index.html",
            "index.html/",
            "index.html/..",
            "INDEX.html",
            "%69ndex.html",
            "assets",
            "assets/",
            "assets/../index.html",
            "assets\\index.html",
            "index.html\0",
        ] {
            assert!(answer(name, None).is_err(), "{name:?}");
        }
    }

    #[tokio::test]
    async fn without_pages_the_index_says_what_to_do() {
        let pages = Pages::new(&[]);
        let mut page = pages.answer(&HeaderMap::new(), "").unwrap();
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert!(page.take_body().into_string().await.unwrap().contains("make build"));
        assert!(pages.answer(&HeaderMap::new(), "review.html").is_err());
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for name in ["assets/a-B1x_-9Zq.js", "assets/fonts/a-12345678.woff2", "assets/a-b---------.js"] {
            assert!(is_hashed_asset(name), "{name}");
        }
        for name in [
            "a-12345678.js",
            "assets/a.js",
            "assets/a-1234567.js",
            "assets/12345678.js",
            "assets/é-é2345678.js",
        ] {
            assert!(!is_hashed_asset(name), "{name}");
        }
    }

    #[test]
    fn types_are_those_of_the_extension() {
        assert_eq!(content_type("a.b/c"), "application/octet-stream");
        assert_eq!(content_type("icon.svg"), "image/svg+xml");
        assert_eq!(content_type("a.css"), "text/css; charset=utf-8");
    }
}
