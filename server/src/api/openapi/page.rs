//! Swagger UI in one page, and the content security policy that admits exactly what stands in it.

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64, Encoding};
use poem::http::HeaderValue;

/// The page and its policy.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: HeaderValue,
}

impl Page {
    /// A page that shows `document`.
    pub(super) fn showing(document: &str) -> Self {
        let service = super::described();
        // Inside a script element only `</` could end it; in JSON it can be written otherwise.
        let document = document.replace("</", "<\\/");
        let html = service.swagger_ui_html().replacen(&service.spec(), &document, 1);
        let html = html.replacen("deepLinking: true,", "deepLinking: true, validatorUrl: null,", 1);
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hashes(&html, "script"),
            hashes(&html, "style"),
        );
        let policy =
            HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        Self { html, policy }
    }
}

/// `'sha256-…'` of every inline element `name` (Content Security Policy Level 3, 2.3.1).
fn hashes(html: &str, name: &str) -> String {
    let sources: Vec<String> = inline_elements(html, name)
        .map(|text| format!("'sha256-{}'", Base64::encode_string(digest(&SHA256, text.as_bytes()).as_ref())))
        .collect();
    sources.join(" ")
}

/// The texts of the elements `name`, as a browser finds them: each ends at the first end tag.
fn inline_elements<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (start, end) = (format!("<{name}"), format!("</{name}>"));
    let mut rest = other_elements_removed(html, name);
    std::iter::from_fn(move || {
        let (_, from_tag) = rest.split_once(&start)?;
        let (_, from_text) = from_tag.split_once('>')?;
        let (text, after) = from_text.split_once(&end)?;
        rest = after;
        Some(text)
    })
}

/// Where elements `name` can stand: in the page of Swagger UI the style comes first, the scripts after it, and
/// the text of one may look like the other.
fn other_elements_removed<'a>(html: &'a str, name: &str) -> &'a str {
    let style_end = "</style>";
    match (name, html.split_once(style_end)) {
        ("style", Some((styles, _))) => html.get(..styles.len() + style_end.len()).unwrap_or(html),
        (_, Some((_, scripts))) => scripts,
        (_, None) => html,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"info":{"title":"a </script> b"}}"#;

    #[test]
    fn the_page_shows_the_document_and_nothing_ends_its_script() {
        let page = Page::showing(DOCUMENT);
        assert!(page.html.contains(r#"let spec = {"info":{"title":"a <\/script> b"}};"#));
        assert_eq!(page.html.matches("</script>").count(), 2);
        assert_eq!(page.html.matches("</style>").count(), 1);
        assert!(page.html.contains("validatorUrl: null"));
        // A browser would hash other bytes than ours.
        assert!(!page.html.contains('\r') && !page.html.contains('\0'));
    }

    #[test]
    fn the_policy_names_every_inline_element() {
        let page = Page::showing(DOCUMENT);
        let policy = page.policy.to_str().unwrap();
        assert_eq!(policy.matches("'sha256-").count(), 3, "{policy}");
        assert!(!policy.contains("unsafe"));
        let script = page.html.rsplit_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
        let hash = Base64::encode_string(digest(&SHA256, script.as_bytes()).as_ref());
        assert!(policy.contains(&hash));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = Page::showing(DOCUMENT);
        for attribute in ["<script src", "<link", "@import", "<img", "<iframe"] {
            let outside_the_script = page.html.split("<script").next().unwrap();
            assert!(!outside_the_script.contains(attribute), "{attribute}");
        }
    }
}
