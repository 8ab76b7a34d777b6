//! Log lines. They carry no data, secrets or key material: spans and events name what they record.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Begins to log to standard error: what `filter` lets through, in this format.
///
/// # Errors
/// When the filter cannot be read or logging was begun before.
pub fn begin(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_target(false).try_init(),
    }
    .map_err(|error| anyhow::anyhow!(error))
}
