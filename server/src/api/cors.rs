//! Which pages of other sites may read public certificates (Fetch standard, "CORS protocol").

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};

/// The allow-list of origins.
#[derive(Clone, Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// `origins` as browsers send them, or `*`.
    pub(super) fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// The origins named one by one.
    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// What `Access-Control-Allow-Origin` says to the page that made a request with `headers`, if anything.
    pub(super) fn admitted(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        if self.origins.iter().any(|entry| entry == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let listed = self.origins.iter().any(|entry| entry.as_bytes() == origin.as_bytes());
        listed.then(|| origin.clone())
    }

    /// The answer to a preflight request.
    pub(super) fn preflight() -> Response {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS")
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, If-None-Match")
            .header(header::ACCESS_CONTROL_MAX_AGE, "3600")
            .header(header::ALLOW, "GET, HEAD, OPTIONS")
            .finish()
    }

    /// Lets the admitted page read `response`.
    pub(super) fn decorate(admitted: Option<HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        if let Some(origin) = admitted {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag, Date"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(origins: &[&str], origin: Option<&str>) -> Option<HeaderValue> {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        Cors::new(origins.iter().map(|&origin| origin.to_owned()).collect()).admitted(&headers)
    }

    #[test]
    fn listed_origins_are_admitted() {
        let page = Some("https://forms.example");
        assert_eq!(admitted(&["https://forms.example"], page).unwrap(), "https://forms.example");
        assert_eq!(admitted(&["*"], page).unwrap(), "*");
        assert_eq!(admitted(&["https://other.example"], page), None);
        assert_eq!(admitted(&["https://forms.example"], Some("https://forms.example.evil")), None);
        assert_eq!(admitted(&[], page), None);
        assert_eq!(admitted(&["*"], None), None);
    }
}
