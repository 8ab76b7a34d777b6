//! The demo under `/demo/`: its pages, what they must know, and the inbox between form and reviewer. No part of the
//! described API.

mod inbox;
mod pages;
mod settings;

use std::sync::Arc;

use poem::{Endpoint, Request, RequestBody, Response, Result, http::Method};

use self::{inbox::Inbox, pages::Pages, settings::FormSettings};
use super::transport::TransportError;
use crate::{config::Settings, services::Services};

/// The files of `web-demo/dist` as they were when the program was built: path and bytes.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_pages.rs"));

/// What a path under `/demo` names. Paths are compared as they were sent: nothing is decoded or resolved.
#[derive(Debug, PartialEq, Eq)]
enum Resource<'a> {
    Entrance,
    Settings,
    Inbox,
    Packet(&'a str),
    /// The path below `/demo/`.
    Page(&'a str),
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let below = path.strip_prefix("/demo")?;
        let Some(name) = below.strip_prefix('/') else {
            return below.is_empty().then_some(Self::Entrance);
        };
        Some(match name {
            "settings.json" => Self::Settings,
            "inbox" => Self::Inbox,
            _ => name.strip_prefix("inbox/").map_or(Self::Page(name), Self::Packet),
        })
    }

    const fn methods(&self) -> &'static str {
        match self {
            Self::Inbox => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }
}

/// The methods that a path under `/demo` takes, for the `Allow` header.
pub(super) fn allowed_methods(path: &str) -> Option<&'static str> {
    Resource::of(path).map(|resource| resource.methods())
}

/// The demo, and beside it everything else.
pub(super) struct Demo<E> {
    others: E,
    inbox: Inbox,
    pages: Pages,
    settings: FormSettings,
}

impl<E: Endpoint<Output = Response>> Demo<E> {
    /// The demo for paths under `/demo`, `others` for all others.
    pub(super) fn beside(others: E, services: &Services, settings: &Settings) -> Self {
        let per_minute = settings.public_certificates_per_minute;
        Self {
            others,
            inbox: Inbox::new(Arc::clone(&services.demo), per_minute),
            pages: Pages::new(EMBEDDED),
            settings: FormSettings::new(Arc::clone(&services.demo), per_minute),
        }
    }

    async fn answer(
        &self,
        request: &Request,
        body: &mut RequestBody,
        resource: Resource<'_>,
    ) -> Result<Response> {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        let posts = *request.method() == Method::POST;
        match resource {
            Resource::Inbox if posts => self.inbox.receive(request, body).await,
            Resource::Page(name) if !self.pages.holds(name) => Err(TransportError::NotFound.into()),
            _ if !reads => Err(TransportError::MethodNotAllowed.into()),
            Resource::Entrance => Ok(pages::entrance()),
            Resource::Settings => Ok(self.settings.read(request).await?),
            Resource::Inbox => self.inbox.list(request, body).await,
            Resource::Packet(id) => self.inbox.read(request, body, id).await,
            Resource::Page(name) => Ok(self.pages.answer(request.headers(), name)?),
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Demo<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let path = request.uri().path().to_owned();
        let Some(resource) = Resource::of(&path) else { return self.others.call(request).await };
        let (request, mut body) = request.split();
        self.answer(&request, &mut body, resource).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_say() {
        for (path, resource) in [
            ("/demo", Some(Resource::Entrance)),
            ("/demo/", Some(Resource::Page(""))),
            ("/demo/settings.json", Some(Resource::Settings)),
            ("/demo/inbox", Some(Resource::Inbox)),
            ("/demo/inbox/", Some(Resource::Packet(""))),
            ("/demo/inbox/../x", Some(Resource::Packet("../x"))),
            ("/demo/inboxes", Some(Resource::Page("inboxes"))),
            ("/demo/assets/a.js", Some(Resource::Page("assets/a.js"))),
            ("/demo/%2e%2e/x", Some(Resource::Page("%2e%2e/x"))),
            ("/demox", None),
            ("/Demo/", None),
            ("/v1/demo/", None),
            ("", None),
        ] {
            assert_eq!(Resource::of(path), resource, "{path}");
        }
    }
}
