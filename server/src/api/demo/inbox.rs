//! `POST` and `GET /demo/inbox`, `GET /demo/inbox/{id}`: the form leaves packets, the reviewer finds them.

use std::sync::Arc;

use poem::{IntoResponse, Request, RequestBody, Response, Result, http::StatusCode};
use poem_openapi::{ApiExtractor, ExtractParamOptions};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::{
    api::{
        access::{Authorized, Decrypt},
        exchange::Exchange,
        native::{Problem, ProblemKind},
        rate_limit::AddressLimiter,
        transport::TransportError,
        wire::{Json, read_bounded},
    },
    domain::demo::{InboxEntry, PacketId},
    services::demo::{DemoError, DemoService},
};

const OCTET_STREAM: &str = "application/octet-stream";

/// Packets that arrive at once, each in memory as a whole; more are asked to come later.
const UPLOADS_AT_ONCE: usize = 8;

/// The inbox.
pub(super) struct Inbox {
    demo: Arc<DemoService>,
    limiter: AddressLimiter,
    places: Semaphore,
}

#[derive(Serialize)]
struct EntryAnswer {
    id: String,
    received: String,
    bytes: u64,
}

#[derive(Serialize)]
struct ListAnswer {
    /// Newest first.
    packets: Vec<EntryAnswer>,
}

impl Inbox {
    pub(super) fn new(demo: Arc<DemoService>, per_minute: u32) -> Self {
        let limiter = AddressLimiter::per_minute(per_minute);
        Self { demo, limiter, places: Semaphore::new(UPLOADS_AT_ONCE) }
    }

    /// Keeps the packet that anyone sends.
    pub(super) async fn receive(&self, request: &Request, body: &mut RequestBody) -> Result<Response> {
        self.ensure_on()?;
        self.limiter.check(Exchange::of(request)?.address).map_err(Problem::too_often)?;
        if !is_octet_stream(request) {
            return Err(TransportError::MediaType { expected: OCTET_STREAM }.into());
        }
        let Ok(_place) = self.places.try_acquire() else { return Err(TransportError::Overloaded.into()) };
        let packet = read_bounded(request, body).await?;
        if packet.is_empty() {
            return Err(Problem::new(ProblemKind::RequestInvalid, "the body is empty; send a packet").into());
        }
        let entry = self.demo.receive(packet).await.map_err(Problem::from)?;
        let mut response = Json(EntryAnswer::from(entry)).into_response();
        response.set_status(StatusCode::CREATED);
        Ok(response)
    }

    /// What is there, for whoever may decrypt.
    pub(super) async fn list(&self, request: &Request, body: &mut RequestBody) -> Result<Response> {
        self.enter(request, body).await?;
        let entries = self.demo.list().await.map_err(Problem::from)?;
        let packets = entries.into_iter().map(EntryAnswer::from).collect();
        Ok(Json(ListAnswer { packets }).into_response())
    }

    /// A packet, still sealed, for whoever may decrypt.
    pub(super) async fn read(&self, request: &Request, body: &mut RequestBody, id: &str) -> Result<Response> {
        self.enter(request, body).await?;
        let id = PacketId::parse(id).ok_or(TransportError::NotFound)?;
        let packet = self.demo.read(id).await.map_err(Problem::from)?;
        Ok(Response::builder().content_type(OCTET_STREAM).body(packet))
    }

    fn ensure_on(&self) -> Result<(), Problem> {
        if self.demo.has_inbox() { Ok(()) } else { Err(DemoError::Off.into()) }
    }

    async fn enter(&self, request: &Request, body: &mut RequestBody) -> Result<()> {
        self.ensure_on()?;
        let caller =
            Authorized::<Decrypt>::from_request(request, body, ExtractParamOptions::default()).await?;
        self.demo.check_reviewer(&caller.call).map_err(TransportError::from)?;
        Ok(())
    }
}

impl From<InboxEntry> for EntryAnswer {
    fn from(entry: InboxEntry) -> Self {
        Self { id: entry.id.to_string(), received: entry.received.to_text(), bytes: entry.bytes }
    }
}

fn is_octet_stream(request: &Request) -> bool {
    let essence = request.content_type().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(OCTET_STREAM))
}
