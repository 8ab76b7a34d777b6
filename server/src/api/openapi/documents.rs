//! `GET /openapi.json` and `/docs`.

use bytes::Bytes;
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use super::{Tag, page::Page};

/// The description and the page that shows it.
pub(crate) struct DocumentsApi {
    document: Bytes,
    page: Bytes,
    page_policy: HeaderValue,
}

impl DocumentsApi {
    pub(crate) fn new(document: &str) -> Self {
        let Page { html, policy } = Page::showing(document);
        Self { document: document.to_owned().into(), page: html.into(), page_policy: policy }
    }
}

#[OpenApi]
impl DocumentsApi {
    /// Read this description
    #[oai(path = "/openapi.json", method = "get", operation_id = "readDescription", tag = "Tag::Operation")]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn description(&self) -> DescriptionAnswer {
        DescriptionAnswer(self.document.clone())
    }

    /// Read and try this description in a browser
    #[oai(path = "/docs", method = "get", operation_id = "browseDescription", tag = "Tag::Operation")]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn docs(&self) -> PageAnswer {
        PageAnswer { html: self.page.clone(), policy: self.page_policy.clone() }
    }
}

struct DescriptionAnswer(Bytes);

impl IntoResponse for DescriptionAnswer {
    fn into_response(self) -> Response {
        Response::builder().content_type("application/json").body(self.0)
    }
}

impl ApiResponse for DescriptionAnswer {
    fn meta() -> MetaResponses {
        response("application/json", "OpenAPI 3.0.", MetaSchema::new("object"))
    }

    fn register(_: &mut Registry) {}
}

struct PageAnswer {
    html: Bytes,
    policy: HeaderValue,
}

impl IntoResponse for PageAnswer {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, self.policy)
            .body(self.html)
    }
}

impl ApiResponse for PageAnswer {
    fn meta() -> MetaResponses {
        response("text/html", "A page without anything from elsewhere.", MetaSchema::new("string"))
    }

    fn register(_: &mut Registry) {}
}

fn response(content_type: &'static str, description: &'static str, schema: MetaSchema) -> MetaResponses {
    MetaResponses {
        responses: vec![MetaResponse {
            description,
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) }],
            headers: vec![],
        }],
    }
}
