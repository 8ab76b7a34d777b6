//! Tokens of kryoptic: SQLite databases, which a file lists.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::token::{Token, set_pin, text};

/// Where the library is.
pub const MODULE_VARIABLE: &str = "KUNJI_TEST_KRYOPTIC";
const SO_PIN: &str = "security-officer-42";

/// Makes `count` tokens, as [`Token::create_all`].
pub fn create_all(count: usize) -> Vec<Token> {
    let module = env::var_os(MODULE_VARIABLE).map(PathBuf::from);
    let module =
        module.unwrap_or_else(|| panic!("{MODULE_VARIABLE} names no library; .scripts/kryoptic builds one"));
    Token::create_all(&module, count, list, |library, slot, label| {
        library.init_token(slot, &SecretString::from(SO_PIN), label).unwrap();
        set_pin(library, slot, SO_PIN);
    })
}

/// Writes the list.
fn list(parent: &Path, places: &[(String, PathBuf)]) -> String {
    let mut slots = String::new();
    for (slot, (_, directory)) in places.iter().enumerate() {
        let database = directory.join("token.sql");
        writeln!(slots, "[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = {:?}", text(&database))
            .unwrap();
    }
    let file = parent.join("kryoptic.conf");
    fs::write(&file, slots).unwrap();
    format!("kryoptic_conf={}", text(&file))
}
