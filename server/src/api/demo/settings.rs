//! `GET /demo/settings.json`: what the form must know.

use std::sync::Arc;

use kunji_shared::pem;
use poem::{IntoResponse, Request, Response};
use serde::Serialize;

use crate::{
    api::{
        exchange::Exchange,
        native::Problem,
        rate_limit::AddressLimiter,
        wire::{Json, percent_encode},
    },
    services::demo::DemoService,
};

/// Answers with the settings.
pub(super) struct FormSettings {
    demo: Arc<DemoService>,
    limiter: AddressLimiter,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsAnswer<'a> {
    application: &'a str,
    reference: &'a str,
    /// Where the recipient's certificate is.
    certificate_url: String,
    /// PEM. A form in earnest has them built in.
    anchors: Vec<String>,
    /// Whether packets can be left for the reviewer.
    inbox: bool,
}

impl FormSettings {
    pub(super) fn new(demo: Arc<DemoService>, per_minute: u32) -> Self {
        Self { demo, limiter: AddressLimiter::per_minute(per_minute) }
    }

    pub(super) async fn read(&self, request: &Request) -> Result<Response, Problem> {
        self.limiter.check(Exchange::of(request)?.address).map_err(Problem::too_often)?;
        let anchors = self.demo.anchors().await?;
        let recipient = self.demo.recipient();
        let (application, reference) = (recipient.application.as_str(), recipient.reference.as_str());
        Ok(Json(SettingsAnswer {
            application,
            reference,
            certificate_url: format!("/v1/certificates/{application}/{}", percent_encode(reference)),
            anchors: anchors.iter().map(|der| pem::encode("CERTIFICATE", der)).collect(),
            inbox: self.demo.has_inbox(),
        })
        .into_response())
    }
}
