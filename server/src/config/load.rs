//! Reads the settings from their three sources.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use config::{Config, Environment, File, FileFormat};
use secrecy::SecretString;

use super::{Settings, in_force};

/// Environment variables with our prefix that are for commands, not settings. Those of the tests are none either.
const NOT_SETTINGS: [&str; 5] =
    ["KUNJI_CONFIG", "KUNJI_URL", "KUNJI_TOKEN", "KUNJI_CLIENT_ID", "KUNJI_CLIENT_SECRET_FILE"];

/// The defaults, then `file`, then those of `environment` that begin with `KUNJI_`; checked as a whole.
///
/// Lists in the environment are separated by commas. Tables (`subject`, `policies`, `reference_patterns`,
/// `pkcs11_replicas`) can only stand in the file.
///
/// # Errors
/// [`ConfigError`] names the setting that is unknown, of the wrong type or senseless.
pub fn load<I>(file: Option<&Path>, environment: I) -> Result<Settings, ConfigError>
where
    I: IntoIterator<Item = (String, String)>,
{
    let mut environment: BTreeMap<String, String> =
        environment.into_iter().filter(|(name, _)| is_setting(name)).collect();
    // Never among the values that the configuration library keeps and may print.
    let pin = environment.remove("KUNJI_PKCS11_PIN").map(SecretString::from);
    let mut sources = Config::builder().add_source(File::from_str(super::DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        if !path.is_file() {
            return Err(ConfigError::FileMissing(path.to_owned()));
        }
        sources = sources.add_source(File::from(path).format(FileFormat::Toml));
    }
    let environment = Environment::with_prefix("KUNJI")
        .prefix_separator("_")
        .source(Some(environment.into_iter().collect()));
    let sources = sources.add_source(environment).build()?;
    let mut settings: Settings = sources.clone().try_deserialize()?;
    settings.in_force = in_force::shown(sources.try_deserialize()?);
    settings.pkcs11_pin = pin;
    settings.check()?;
    Ok(settings)
}

fn is_setting(name: &str) -> bool {
    name.starts_with("KUNJI_") && !name.starts_with("KUNJI_TEST_") && !NOT_SETTINGS.contains(&name)
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` or `KUNJI_CONFIG` is not there.
    #[error("there is no configuration file {0}")]
    FileMissing(PathBuf),
    /// A setting is senseless.
    #[error("{name}: {problem}")]
    Senseless {
        /// The setting.
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A setting is unknown or of the wrong type.
    #[error(transparent)]
    Unreadable(#[from] config::ConfigError),
}
