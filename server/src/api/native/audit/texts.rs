//! Answers that are no single JSON document.

use poem::{Body, IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use crate::services::packets::BodyStream;

const NDJSON: &str = "application/x-ndjson";
const PEM: &str = "application/x-pem-file";

/// Lines of JSON.
pub(super) struct Ndjson(pub(super) BodyStream);

impl IntoResponse for Ndjson {
    fn into_response(self) -> Response {
        Response::builder().header(header::CONTENT_TYPE, NDJSON).body(Body::from_bytes_stream(self.0))
    }
}

impl ApiResponse for Ndjson {
    fn meta() -> MetaResponses {
        done("Lines of JSON.", NDJSON)
    }

    fn register(_: &mut Registry) {}
}

/// Certificates.
pub(super) struct Pem(pub(super) String);

impl IntoResponse for Pem {
    fn into_response(self) -> Response {
        Response::builder().content_type(PEM).body(self.0)
    }
}

impl ApiResponse for Pem {
    fn meta() -> MetaResponses {
        done("Certificates, PEM.", PEM)
    }

    fn register(_: &mut Registry) {}
}

fn done(description: &'static str, content_type: &'static str) -> MetaResponses {
    let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
    MetaResponses {
        responses: vec![MetaResponse {
            description,
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type, schema }],
            headers: vec![],
        }],
    }
}
