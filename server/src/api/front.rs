//! What happens to every request, whatever it asks for, before and after its operation.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, Method, Uri, header},
};
use tokio::runtime::Handle;

use super::{
    access::{
        BodyKind, Caller, Credential, FailureForm, KnownClient, PathClass, TurnedAway, WithoutToken,
        credential, is_foreign, is_of_unlisted_page,
    },
    allowed_methods::AllowedMethods,
    body_memory::BodyMemory,
    cors::Cors,
    demo,
    exchange::{BodyBounds, Exchange, new_request_id},
    headers,
    mosip::{EnvelopeFailure, transport_envelope},
    native::{Problem, transport_oauth, with_sources},
    network::Senders,
    query_names::QueryNames,
    routes::Resources,
    serve::{PeerCertificate, Place},
    transport::TransportError,
};
use crate::{
    config::Settings,
    domain::access::Principal,
    services::{Services, access::Admitted, denials::Denial},
};

/// Largest body of the routes that take a client's secret; they are open to everyone.
const CREDENTIALS_LIMIT_BYTES: u64 = 16 * 1024;

/// Largest packet that the demo's inbox takes; it is open to everyone.
const DEMO_PACKET_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// Longest path and query that are looked at, in bytes.
const URI_LIMIT_BYTES: usize = 8 * 1024;
/// Characters of a path that stand in the log; it is the caller's to choose.
const SHOWN_CHARS: usize = 128;
/// Longest time for the body of a request that anyone may send; all of them are small, but for packets of the demo.
const ANONYMOUS_ARRIVAL: Duration = Duration::from_secs(10);
/// Longest time for a packet of the demo: a photo over a slow line.
const DEMO_PACKET_ARRIVAL: Duration = Duration::from_mins(1);

/// Lets a request in or not, bounds it, and gives its answer the form that its caller understands.
pub(super) struct Front<E> {
    routes: Arc<E>,
    services: Services,
    cors: Cors,
    senders: Senders,
    without_token: WithoutToken,
    allowed_methods: AllowedMethods,
    query_names: QueryNames,
    json_limit: u64,
    packet_limit: u64,
    packet_in_memory: u64,
    body_memory: Arc<BodyMemory>,
    request_timeout: Duration,
    idle_timeout: Duration,
    packet_pace: u64,
}

impl<E: Endpoint<Output = Response> + 'static> Front<E> {
    pub(super) fn new(routes: E, services: &Services, settings: &Settings) -> Self {
        Self {
            routes: Arc::new(routes),
            services: services.clone(),
            cors: Cors::new(settings.cors_origins.clone()),
            senders: Senders::new(settings),
            without_token: WithoutToken::new(settings),
            allowed_methods: AllowedMethods::of::<Resources>(),
            query_names: QueryNames::of::<Resources>(),
            json_limit: settings.json_body_limit_bytes,
            packet_limit: settings.packet_limit_bytes,
            packet_in_memory: settings.spool_threshold_bytes,
            body_memory: Arc::new(BodyMemory::new(settings.body_memory_bytes)),
            request_timeout: Duration::from_secs(settings.request_timeout_seconds),
            idle_timeout: Duration::from_secs(settings.idle_timeout_seconds),
            packet_pace: settings.slowest_packet_bytes_per_second,
        }
    }

    /// The caller, where one is needed.
    async fn admit(&self, request: &Request, class: PathClass) -> Result<Option<Admitted>, TurnedAway> {
        if class.anonymous {
            return Ok(None);
        }
        let turned_away: TurnedAway = match credential(request.headers(), class.cookies) {
            Credential::Missing => match self.known_client(request, class) {
                None => TurnedAway::WITHOUT_TOKEN,
                // Browsers show certificates, and reach networks, for pages of other sites too.
                Some(client) if self.is_foreign_to(client, request) => TurnedAway::FOREIGN,
                Some(client) => match self.services.access.admit_client(client.id).await {
                    Ok(caller) => return Ok(Some(caller.until(client.until))),
                    Err(refusal) => TurnedAway::from(refusal).without_token(),
                },
            },
            Credential::Cookie(_) if self.is_foreign(request) => TurnedAway::FOREIGN,
            Credential::Header(token) | Credential::Cookie(token) => {
                match self.services.access.authenticate(token).await {
                    Ok(caller) => return Ok(Some(caller)),
                    Err(refusal) => refusal.into(),
                }
            }
        };
        Err(turned_away)
    }

    /// Puts a refusal into the audit trail; says whether it is the first of its kind for now, which the log should have
    /// too.
    async fn deny(
        &self,
        operation: &'static str,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
        request_id: &Arc<str>,
        code: &'static str,
    ) -> bool {
        let principal = principal.map(|principal| principal.name.clone());
        let request_id = Arc::clone(request_id);
        self.services.denials.record(Denial { operation, principal, address, request_id, code }).await
    }

    /// The client that a caller without a token counts as.
    fn known_client(&self, request: &Request, class: PathClass) -> Option<KnownClient<'_>> {
        let caller = Caller {
            headers: request.headers(),
            certificate: request.data::<PeerCertificate>(),
            address: self.senders.address(request),
            by_trusted_proxy: self.senders.is_trusted_proxy(request),
            now: self.services.clock.now(),
        };
        self.without_token.client(&caller, class)
    }

    /// The name of a certificate cannot be taken; the name that leads into a network can.
    fn is_foreign_to(&self, client: KnownClient<'_>, request: &Request) -> bool {
        if client.until.is_none() {
            is_of_unlisted_page(request.headers(), self.cors.origins())
        } else {
            self.is_foreign(request)
        }
    }

    fn is_foreign(&self, request: &Request) -> bool {
        is_foreign(request.headers(), self.cors.origins())
    }

    /// Lets the request in and runs its operation.
    async fn enter(&self, request: Request, class: PathClass, request_id: &Arc<str>) -> Result<Response> {
        let uri = request.uri();
        let length = uri.path_and_query().map_or(0, |text| text.as_str().len());
        if length > URI_LIMIT_BYTES {
            return Err(TransportError::UriTooLong.into());
        }
        let caller = match self.admit(&request, class).await {
            Ok(caller) => caller,
            Err(turned_away) => {
                let address = self.senders.address(&request);
                let path = shown(request.uri().path());
                let TurnedAway { answer, reason, code } = turned_away;
                // Anyone can be refused as often as they like, and must not fill the log.
                if self.deny("access", None, address, request_id, code).await {
                    tracing::warn!(%request_id, ?address, ?path, reason, "refused");
                } else {
                    tracing::debug!(%request_id, ?address, ?path, reason, "refused");
                }
                return Err(answer.into());
            }
        };
        if class.public_certificate && *request.method() == Method::OPTIONS {
            return Ok(Cors::preflight());
        }
        // The envelope's callers may send what they like, as they do.
        if class.failures == FailureForm::Problem {
            self.query_names.check(request.method(), request.uri())?;
        }
        self.run(request, class, caller, request_id).await
    }

    /// Runs the operation, and waits no longer than it may take.
    async fn run(
        &self,
        mut request: Request,
        class: PathClass,
        caller: Option<Admitted>,
        request_id: &Arc<str>,
    ) -> Result<Response> {
        let limit = match class.body {
            BodyKind::Json => self.json_limit,
            BodyKind::Packet => self.packet_limit,
            BodyKind::Credentials => CREDENTIALS_LIMIT_BYTES.min(self.json_limit),
            BodyKind::DemoPacket => DEMO_PACKET_LIMIT_BYTES,
        };
        let arrival = match class.body {
            BodyKind::DemoPacket => DEMO_PACKET_ARRIVAL.min(self.request_timeout),
            _ if class.anonymous => ANONYMOUS_ARRIVAL.min(self.request_timeout),
            _ => self.request_timeout,
        };
        let body = BodyBounds {
            limit,
            in_memory: if class.body == BodyKind::Packet { self.packet_in_memory } else { limit },
            arrival,
            pause: self.idle_timeout,
            pace: self.packet_pace,
        };
        let address = self.senders.address(&request);
        let memory = Arc::clone(&self.body_memory);
        let exchange = Arc::new(Exchange::new(Arc::clone(request_id), address, caller, body, memory));
        request.set_data(Arc::clone(&exchange));
        request.set_data(Arc::clone(&self.services.authorization));
        let answer = self.wait(Operation::new(&self.routes, request), class, &exchange).await;
        if let Some((operation, code)) = exchange.denied() {
            let principal = exchange.call.as_ref().map(|call| &*call.principal);
            self.deny(operation, principal, address, request_id, code).await;
        }
        Ok(exchange.end_with(answer?).await?)
    }

    async fn wait(&self, answer: Operation, class: PathClass, exchange: &Exchange) -> Result<Response> {
        if class.body == BodyKind::Packet {
            // Packets take as long as they are large; how slow they may be is bounded where they are read.
            return answer.await;
        }
        match tokio::time::timeout(self.request_timeout, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) if exchange.is_body_complete() => {
                tracing::error!(request_id = %exchange.request_id, "an operation did not end in time");
                Err(TransportError::Overloaded.into())
            }
            Err(_elapsed) => Err(TransportError::Timeout.into()),
        }
    }

    /// The answer to a request that failed, in the form that its caller understands.
    fn failure(&self, error: poem::Error, class: PathClass, uri: &Uri, request_id: &str) -> Response {
        let error = match error.downcast::<EnvelopeFailure>() {
            Ok(failure) => return failure.into_answer(self.services.clock.now(), request_id),
            Err(error) => error,
        };
        let error = match error.downcast::<Problem>() {
            Ok(problem) => return problem.into_answer(request_id),
            Err(error) => error,
        };
        let failure = TransportError::classify(&error, class.content_type());
        if failure == TransportError::Internal {
            tracing::error!(request_id, cause = with_sources(&error), "a request failed inside");
        }
        let mut response = match class.failures {
            FailureForm::Envelope => transport_envelope(failure, self.services.clock.now()),
            FailureForm::OAuth => transport_oauth(failure),
            FailureForm::Problem => Problem::from(failure).into_answer(request_id),
        };
        if failure == TransportError::MethodNotAllowed
            && let Some(methods) = self
                .allowed_methods
                .for_path(uri.path())
                .cloned()
                .or_else(|| demo::allowed_methods(uri.path()).map(HeaderValue::from_static))
        {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }
}

impl<E: Endpoint<Output = Response> + 'static> Endpoint for Front<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let request_id = new_request_id();
        let uri = request.uri().clone();
        let class = PathClass::of(request.method(), uri.path());
        let page = if class.public_certificate { Some(self.cors.admitted(request.headers())) } else { None };

        let entered = AssertUnwindSafe(self.enter(request, class, &request_id)).catch_unwind().await;
        let result = entered.unwrap_or_else(|_panic| {
            tracing::error!(%request_id, "an operation panicked");
            Err(TransportError::Internal.into())
        });
        let mut response = match result {
            Ok(response) => response,
            Err(error) => self.failure(error, class, &uri, &request_id),
        };

        if let Some(admitted) = page {
            Cors::decorate(admitted, &mut response);
        }
        headers::complete(&mut response, &request_id);
        tracing::debug!(%request_id, path = ?shown(uri.path()), status = response.status().as_u16(), "answered");
        Ok(response)
    }
}

/// As much of a path as is logged.
fn shown(path: &str) -> &str {
    path.char_indices().nth(SHOWN_CHARS).and_then(|(end, _)| path.get(..end)).unwrap_or(path)
}

/// An operation that goes on to its end, in a task of its own, when nobody waits for it any more, because the caller
/// hung up or was told that it takes too long: nothing may be made and then not recorded.
struct Operation(Option<BoxFuture<'static, Result<Response>>>);

impl Operation {
    fn new<E: Endpoint<Output = Response> + 'static>(routes: &Arc<E>, request: Request) -> Self {
        let routes = Arc::clone(routes);
        // Kept for as long as the operation runs, so that the server's end waits for it too.
        let place = request.data::<Arc<Place>>().cloned();
        Self(Some(Box::pin(async move {
            let answer = routes.call(request).await;
            drop(place);
            answer
        })))
    }
}

impl Future for Operation {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Gone while it is polled: one that panics must not go on.
        let Some(mut operation) = self.0.take() else { return Poll::Pending };
        let answer = operation.as_mut().poll(context);
        if answer.is_pending() {
            self.0 = Some(operation);
        }
        answer
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let (Some(operation), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(operation);
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::{endpoint::make, http::StatusCode};
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn an_operation_ends_although_nobody_waits() {
        let (entered, release, ended) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let routes = {
            let (entered, release, ended) = (Arc::clone(&entered), Arc::clone(&release), Arc::clone(&ended));
            make(move |_| {
                let (entered, release, ended) =
                    (Arc::clone(&entered), Arc::clone(&release), Arc::clone(&ended));
                async move {
                    entered.notify_one();
                    release.notified().await;
                    ended.notify_one();
                    Ok::<_, poem::Error>(Response::from(StatusCode::NO_CONTENT))
                }
            })
        };
        let routes = Arc::new(routes);
        let mut answer = Operation::new(&routes, Request::default());
        assert!(futures_util::poll!(&mut answer).is_pending());
        entered.notified().await;
        drop(answer);
        release.notify_one();
        ended.notified().await;

        // Also when it was not begun yet.
        drop(Operation::new(&routes, Request::default()));
        entered.notified().await;
        release.notify_one();
        ended.notified().await;
    }

    #[test]
    fn little_of_a_path_is_shown() {
        assert_eq!(shown("/v1/clients"), "/v1/clients");
        let long = "é".repeat(129);
        assert_eq!(shown(&long).chars().count(), 128);
        // Logged by `Debug`.
        assert_eq!(format!("{:?}", shown("/a\n\u{1b}[31m")), r#""/a\n\u{1b}[31m""#);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits() {
        let routes = make(|request| async move {
            request.header("absent").unwrap();
            Ok::<_, poem::Error>(Response::default())
        });
        let answer = Operation::new(&Arc::new(routes), Request::default());
        assert!(AssertUnwindSafe(answer).catch_unwind().await.is_err());
    }
}
