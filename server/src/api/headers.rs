//! Headers of every answer.

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

/// Set unless the operation itself said something else.
const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Names the request in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Completes the headers of an answer.
pub(super) fn complete(response: &mut Response, request_id: &str) {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.reserve(DEFAULTS.len() + 1);
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_yield_to_what_an_operation_says() {
        let mut response = Response::builder().header(header::CACHE_CONTROL, "max-age=3600").finish();
        complete(&mut response, "id");
        assert_eq!(response.header(header::CACHE_CONTROL), Some("max-age=3600"));
        assert_eq!(response.header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        assert_eq!(response.header("x-request-id"), Some("id"));
    }
}
