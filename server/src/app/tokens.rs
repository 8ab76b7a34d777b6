//! The tokens that the settings name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{hsm_worker, private_file};
use crate::{
    adapters::pkcs11::{Isolation, PinSource, Pkcs11KeyStore, Pkcs11Settings},
    config::{Pkcs11Isolation, Pkcs11Replica, Settings},
};

/// Opens the primary and its replicas, of which one must be there.
pub(super) async fn open(settings: &Settings) -> Result<Pkcs11KeyStore> {
    let replicas = settings.pkcs11_replicas.iter().map(|replica| self::replica(settings, replica));
    Pkcs11KeyStore::open_several(primary(settings)?, replicas.collect::<Result<_>>()?)
        .await
        .context("the token cannot be opened")
}

fn primary(settings: &Settings) -> Result<Pkcs11Settings> {
    Ok(Pkcs11Settings {
        name: settings.pkcs11_token_label.clone(),
        module: settings.pkcs11_module.clone(),
        initialize_argument: argument(&settings.pkcs11_initialize_argument),
        token_label: settings.pkcs11_token_label.clone(),
        token_serial: settings.pkcs11_token_serial.clone(),
        pin: pin_source(settings)?,
        isolation: isolation(settings, &BTreeMap::new()),
        workers: settings.pkcs11_workers,
        queue: settings.pkcs11_queue,
        deadline: Duration::from_secs(settings.pkcs11_deadline_seconds),
        wrapping: None,
    })
}

fn replica(settings: &Settings, replica: &Pkcs11Replica) -> Result<Pkcs11Settings> {
    let primary = primary(settings)?;
    Ok(Pkcs11Settings {
        name: replica.name.clone(),
        module: replica.module.clone().unwrap_or(primary.module),
        initialize_argument: replica
            .initialize_argument
            .as_deref()
            .map_or(primary.initialize_argument, argument),
        token_label: replica.token_label.clone().unwrap_or(primary.token_label),
        token_serial: replica.token_serial.clone(),
        pin: match &replica.pin_file {
            Some(file) => pin_in(file, "pkcs11_replicas.pin_file")?,
            None => primary.pin,
        },
        isolation: isolation(settings, &replica.environment),
        ..primary
    })
}

fn argument(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn isolation(settings: &Settings, environment: &BTreeMap<String, String>) -> Isolation {
    match settings.pkcs11_isolation {
        Pkcs11Isolation::None => Isolation::None,
        Pkcs11Isolation::Process => Isolation::Process(hsm_worker::program(settings, environment)),
    }
}

fn pin_source(settings: &Settings) -> Result<PinSource> {
    match (&settings.pkcs11_pin_file, &settings.pkcs11_pin) {
        (Some(file), _) => pin_in(file, "pkcs11_pin_file"),
        (None, Some(pin)) => Ok(PinSource::fixed(pin.clone())),
        (None, None) => {
            anyhow::bail!("the token's PIN is not set: set KUNJI_PKCS11_PIN_FILE to a file with it")
        }
    }
}

/// The file is read again for each login, so that the PIN can be changed while the server runs.
fn pin_in(file: &Path, setting: &'static str) -> Result<PinSource> {
    private_file::read(file).context(setting)?;
    let file = PathBuf::from(file);
    Ok(PinSource::new(move || private_file::read(&file).map_err(|error| format!("{setting}: {error:#}"))))
}
