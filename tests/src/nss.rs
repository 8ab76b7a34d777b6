//! Tokens of NSS softokn: databases, each in a directory of its own.
//!
//! Each use of a private key derives the key of the database from the PIN. `.cargo/config.toml` takes the time out of
//! that (`NSS_MAX_MP_PBE_ITERATION_COUNT`).

use std::{env, path::PathBuf};

use crate::token::{Token, set_pin, text};

/// NSS gives the numbers from here to 100 to databases that are named to it.
const FIRST_SLOT: usize = 4;

/// Where Debian and others put the library.
const USUAL_PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
    "/usr/lib/aarch64-linux-gnu/libsoftokn3.so",
    "/usr/lib64/libsoftokn3.so",
    "/usr/lib/libsoftokn3.so",
];

/// Makes `count` tokens, as [`Token::create_all`].
pub fn create_all(count: usize) -> Vec<Token> {
    assert!(env::var_os("NSS_MAX_MP_PBE_ITERATION_COUNT").is_some(), "cargo sets it by .cargo/config.toml");
    let places = USUAL_PLACES.iter().map(PathBuf::from);
    let module =
        places.into_iter().find(|place| place.exists()).expect("NSS is missing: install the package libnss3");
    // A new database has a security officer without a PIN, and the label that it is given at every initialisation.
    Token::create_all(
        &module,
        count,
        |_, places| parameters(places),
        |library, slot, _| set_pin(library, slot, ""),
    )
}

/// The databases in the words of NSS.
fn parameters(places: &[(String, PathBuf)]) -> String {
    let databases = places.iter().zip(FIRST_SLOT..).map(|((label, directory), slot)| {
        format!("{slot:#x}=[configDir='sql:{}' tokenDescription='{label}']", text(directory))
    });
    format!("flags=noRootInit tokens=<{}>", databases.collect::<Vec<_>>().join(" "))
}
