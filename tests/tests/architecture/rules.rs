//! The allowed edges between the server's modules, and the checks of its sources.

use crate::source::{PathUse, SourceFile};

/// Which modules of the server a module may name, itself always included.
pub(crate) const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("telemetry", &["config", "domain"]),
    ("outward", &["trust"]),
    ("trust", &[]),
    // A client like any other: it knows the server by its HTTP API. `config` says where the files are of a server that
    // does not run.
    ("cli", &["domain", "config", "outward", "trust"]),
    ("ports", &["domain"]),
    ("services", &["ports", "domain"]),
    // An adapter may name its own section of `config`, and no other adapter.
    ("adapters", &["ports", "domain", "config", "outward", "trust"]),
    // Settings are plain data.
    ("api", &["services", "domain", "config"]),
    ("app", &["domain", "config", "telemetry", "ports", "services", "adapters", "api"]),
];

/// The program: arguments and configuration in, then the composition root, the API's own description, or a call of a
/// running server.
const PROGRAM_MAY_NAME: &[&str] = &["api", "app", "cli", "config", "telemetry"];

/// What adapters share, as they may not name each other.
const SHARED_BY_ADAPTERS: &[&str] = &["private_directory"];

/// Libraries that would carry a decision out of the room it was made in, and the modules that may name them.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("cryptoki", &["adapters"]),
    ("surrealdb", &["adapters"]),
    ("poem", &["api", "app"]),
    ("poem_openapi", &["api", "app"]),
    ("reqwest", &["adapters", "cli", "outward"]),
];

/// What the `rsa` crate names a private key, and the types that hold one; and a glob, which would hide them.
const RSA_PRIVATE_KEYS: &[&str] = &["PrivateKey", "RsaPrivateKey", "DecryptingKey", "SigningKey", "*"];

/// Longest source file of the server, its test-only items not counted.
const MAX_LINES: usize = 600;

/// Paths in `file`, of the server's library, that leave the allowed edges.
pub(crate) fn forbidden_edges(file: &SourceFile) -> Vec<String> {
    let Some(from) = file.module.first() else {
        return Vec::new();
    };
    let Some((_, allowed)) = EDGES.iter().find(|(module, _)| module == from) else {
        return vec![format!("module {from} has no row in the table of allowed edges")];
    };
    let mut broken = Vec::new();
    for path in file.paths() {
        let to = path.segments.first().map_or("", String::as_str);
        let is_allowed = if path.from_root {
            (to == from || allowed.contains(&to)) && !names_other_adapter(file, &path)
        } else {
            library_is_allowed(to, from)
        };
        if !is_allowed {
            broken.push(format!("line {}: {from} may not name {}", path.line, path.segments.join("::")));
        }
    }
    broken
}

/// Modules of the server's library that its program names and should not.
pub(crate) fn forbidden_program_edges(file: &SourceFile) -> Vec<String> {
    let paths = file.paths();
    let of_library = paths.iter().filter(|path| path.segments[0] == "kunji_server");
    let broken = of_library.filter(|path| !PROGRAM_MAY_NAME.contains(&path.segments[1].as_str()));
    broken
        .map(|path| format!("line {}: the program may not name {}", path.line, path.segments.join("::")))
        .collect()
}

fn names_other_adapter(file: &SourceFile, path: &PathUse) -> bool {
    let is_adapter = file.module[0] == "adapters" && path.segments[0] == "adapters";
    let own = file.module.get(1);
    let shared = path.segments.get(1).is_some_and(|name| SHARED_BY_ADAPTERS.contains(&name.as_str()));
    is_adapter && own.is_some() && path.segments.get(1) != own && !shared
}

fn library_is_allowed(library: &str, module: &str) -> bool {
    LIBRARIES.iter().find(|(name, _)| *name == library).is_none_or(|(_, modules)| modules.contains(&module))
}

/// Private keys of the `rsa` crate, whose operations are not constant-time (RUSTSEC-2023-0071).
pub(crate) fn rsa_private_keys(file: &SourceFile) -> Vec<String> {
    let paths = file.paths();
    let of_rsa = paths.iter().filter(|path| !path.from_root && path.segments[0] == "rsa");
    of_rsa
        .filter(|path| path.segments.iter().any(|segment| RSA_PRIVATE_KEYS.contains(&segment.as_str())))
        .map(|path| format!("line {}: {} is for tests only", path.line, path.segments.join("::")))
        .collect()
}

/// A file that has grown past one duty.
pub(crate) fn too_long(file: &SourceFile) -> Vec<String> {
    let lines = file.lines();
    if lines > MAX_LINES {
        vec![format!("{lines} lines without its tests, more than {MAX_LINES}")]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, forbidden_edges, forbidden_program_edges, rsa_private_keys, too_long};

    fn edges(path: &str, text: &str) -> Vec<String> {
        forbidden_edges(&SourceFile::parse(path, text))
    }

    #[test]
    fn allowed_edges_pass() {
        assert!(edges("lib.rs", "pub mod domain; pub use crate::app::run;").is_empty());
        assert!(edges("domain/key.rs", "use crate::domain::alias::KeyAlias; use super::time;").is_empty());
        assert!(edges("services/keys.rs", "use crate::{ports::Clock, domain::Key};").is_empty());
        assert!(
            edges("adapters/surreal/rows.rs", "use super::error; use crate::adapters::surreal::X;")
                .is_empty()
        );
        assert!(
            edges("adapters/surreal/mod.rs", "use surrealdb::Surreal; use crate::config::database;")
                .is_empty()
        );
        assert!(edges("app.rs", "use crate::adapters::{pkcs11, surreal};").is_empty());
        assert!(edges("api/mod.rs", "#[cfg(test)] mod tests { use crate::adapters::surreal; }").is_empty());
    }

    #[test]
    fn an_edge_against_the_direction_is_named_with_its_line() {
        let broken = edges("domain/key.rs", "\nuse crate::{domain::Key, ports::Clock};");
        assert_eq!(broken, ["line 2: domain may not name ports::Clock"]);
        for (path, text) in [
            ("api/keys.rs", "fn f() { crate::adapters::surreal::g(); }"),
            ("api/keys.rs", "use crate::ports::Clock;"),
            ("services/keys.rs", "use super::super::adapters::surreal;"),
            ("services/keys.rs", "use crate::config::Config;"),
            ("adapters/surreal.rs", "use crate::services::keys;"),
            ("ports/mod.rs", "pub(in crate::services) struct A;"),
        ] {
            assert_eq!(edges(path, text).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn an_adapter_may_not_name_another() {
        assert_eq!(edges("adapters/surreal/mod.rs", "use super::pkcs11::Store;").len(), 1);
        assert_eq!(edges("adapters/surreal/rows.rs", "use crate::adapters::pkcs11;").len(), 1);
        assert_eq!(edges("adapters/surreal.rs", "use crate::adapters::*;").len(), 1);
    }

    #[test]
    fn names_at_the_crate_root_are_no_way_around() {
        assert_eq!(edges("domain/key.rs", "use crate::Surreal;").len(), 1);
        assert_eq!(edges("domain/key.rs", "use crate::*;").len(), 1);
        assert_eq!(edges("shortcut.rs", "").len(), 1);
    }

    #[test]
    fn libraries_stay_in_their_rooms() {
        assert_eq!(edges("services/keys.rs", "use surrealdb::Surreal;").len(), 1);
        assert_eq!(edges("domain/key.rs", "fn f(x: cryptoki::session::Session) {}").len(), 1);
        assert_eq!(edges("adapters/jwks.rs", "use poem::Request;").len(), 1);
        assert!(edges("api/keys.rs", "use poem_openapi::OpenApi;").is_empty());
    }

    #[test]
    fn the_program_may_not_reach_past_the_composition_root() {
        let program = |text| forbidden_program_edges(&SourceFile::parse("main.rs", text));
        assert!(program("use kunji_server::{app, config::Config};").is_empty());
        assert_eq!(program("use kunji_server::{app, adapters::surreal};").len(), 1);
        assert_eq!(program("use kunji_server::*;").len(), 1);
    }

    #[test]
    fn a_private_rsa_key_outside_tests_is_found() {
        let found = |text| rsa_private_keys(&SourceFile::parse("crypto.rs", text));
        assert_eq!(found("use rsa::{RsaPublicKey, RsaPrivateKey as Key};").len(), 1);
        assert_eq!(found("fn f(key: &rsa::PrivateKey) {}").len(), 1);
        assert_eq!(found("use ::rsa::{pss::SigningKey, oaep::DecryptingKey};").len(), 2);
        assert_eq!(found("use rsa::*;").len(), 1);
        assert!(found("use rsa::{PublicKey, Oaep}; use aws_lc_rs::PrivateKey;").is_empty());
        assert!(found("// RsaPrivateKey\n#[cfg(test)]\nmod tests { use rsa::RsaPrivateKey; }").is_empty());
    }

    #[test]
    fn length_is_counted_without_tests() {
        let long = "fn f() {}\n".repeat(601);
        assert_eq!(too_long(&SourceFile::parse("a.rs", &long)).len(), 1);
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "fn f() {}\n".repeat(600));
        assert!(too_long(&SourceFile::parse("a.rs", &tested)).is_empty());
    }
}
