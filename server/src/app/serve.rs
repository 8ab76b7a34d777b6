//! From settings to a server that answers until it is told to stop.

use std::io::Write;

use anyhow::{Context, Result};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{open_ports, start, tls};
use crate::{api, config::Settings};

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start; the message says what to do.
pub async fn serve(settings: Settings) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Taken first: a second server on the same port must not get as far as making keys.
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("{} cannot be listened on", settings.listen))?;
    let address = listener.local_addr()?;
    let (scheme, carrier) = match tls::open(&settings)? {
        Some(latest) => ("https", api::Carrier::Tls(latest)),
        None => ("http", api::Carrier::Plain),
    };
    let ports = open_ports(&settings).await?;
    let running = start(&settings, ports).await?;
    let endpoint = api::endpoint(&running.services, &settings);
    if !settings.tokenless_networks.is_empty() {
        tracing::warn!(
            networks = ?settings.tokenless_networks,
            client = settings.tokenless_client,
            "callers from these networks need no token under /v1/keymanager, and count as this client"
        );
    }
    announce(&format!("kunji is ready on {scheme}://{address}"));
    announce(&format!("  API page:  {scheme}://{address}/docs"));
    if let Some(path) = &running.new_secret {
        announce(&format!("  secret of the client 'administrator', written this once:  {}", path.display()));
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    let limits = api::ServeLimits::from(&settings);
    api::serve(listener, carrier, endpoint, limits, stop).await?;
    running.stop().await
}

/// Says what a person who starts the server looks for. Nobody may be listening, which is no reason to stop.
fn announce(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
