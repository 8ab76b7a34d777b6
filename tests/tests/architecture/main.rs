//! What the compiler cannot hold inside one crate and one checkout: which module may know which, what the top
//! level of the checkout holds, and what no committed file may say.

#![cfg(test)]

mod repository;
mod rules;
mod source;

use std::{fs, path::Path};

use source::SourceFile;

/// Rust files that are built into what is shipped, by their path in the checkout.
fn sources(crate_directory: &str) -> anyhow::Result<Vec<(String, SourceFile)>> {
    let prefix = format!("{crate_directory}/src/");
    let mut sources = Vec::new();
    for path in repository::files()? {
        let Some(inside) = path.strip_prefix(&prefix) else {
            continue;
        };
        let is_rust = Path::new(inside).extension().is_some_and(|it| it == "rs");
        // The file form of a test-only module.
        let is_test = inside.split('/').any(|part| matches!(part, "tests" | "tests.rs"));
        if !is_rust || is_test {
            continue;
        }
        let text = fs::read_to_string(repository::root().join(&path))?;
        let file = SourceFile::parse(inside, &text);
        sources.push((path, file));
    }
    Ok(sources)
}

/// Fails with everything `check` has to say about the sources of `crate_directory`.
fn assert_clean(crate_directory: &str, check: fn(&SourceFile) -> Vec<String>) {
    let sources = sources(crate_directory).unwrap();
    assert!(!sources.is_empty(), "no source was found in {crate_directory}");
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(path, file)| check(file).into_iter().map(move |fault| format!("{path}: {fault}")))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn server_modules_keep_to_the_allowed_edges() {
    assert_clean("server", |file| {
        let mut broken = rules::forbidden_edges(file);
        broken.extend(rules::forbidden_program_edges(file));
        broken
    });
}

#[test]
fn server_files_stay_short() {
    assert_clean("server", rules::too_long);
}

#[test]
fn private_rsa_operations_never_go_through_the_rsa_crate() {
    assert_clean("server", rules::rsa_private_keys);
    assert_clean("shared", rules::rsa_private_keys);
}

#[test]
fn top_level_holds_only_what_belongs_there() {
    let found: Vec<String> =
        repository::files().unwrap().iter().filter_map(|path| repository::misplaced(path)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn committed_files_name_no_machine() {
    let mut found = Vec::new();
    for path in repository::files().unwrap() {
        let bytes = fs::read(repository::root().join(&path)).unwrap();
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        found.extend(repository::machine_paths(&text).into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
