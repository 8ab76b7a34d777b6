//! What documents say that code can check: settings and their defaults, links, commands, routes.

#![cfg(test)]

mod commands;
mod configuration;
mod links;
#[path = "../architecture/repository.rs"]
mod repository;

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(repository::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The committed Markdown files: path and text.
fn documents() -> Vec<(String, String)> {
    let files = repository::files().unwrap();
    let documents = files.into_iter().filter(|path| Path::new(path).extension().is_some_and(|it| it == "md"));
    documents.map(|path| (path.clone(), read(&path))).collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn configuration_page_has_every_setting_as_the_code_has_it() {
    let settings = configuration::Settings {
        source: &["mod", "external_issuer"]
            .map(|name| read(&format!("server/src/config/{name}.rs")))
            .concat(),
        defaults: &read("server/src/config/defaults.toml"),
    };
    assert_none(&configuration::faults(&read("docs/configuration.md"), &settings));
}

#[test]
fn documents_name_only_environment_variables_that_exist() {
    let (source, loading) = (read("server/src/config/mod.rs"), read("server/src/config/load.rs"));
    let fault_module = read("tests/fault-module/src/settings.rs");
    let known = |name: &str| {
        let literal = format!("\"{name}\"");
        configuration::is_setting(&source, name)
            || [&loading, &fault_module].iter().any(|it| it.contains(&literal))
    };
    let faults = documents().into_iter().flat_map(|(path, text)| {
        let unknown = configuration::variables(&text).into_iter().filter(|name| !known(name));
        unknown.map(|name| format!("{path}: {name} is no setting")).collect::<Vec<_>>()
    });
    assert_none(&faults.collect::<Vec<_>>());
}

#[test]
fn relative_links_lead_somewhere() {
    let faults =
        documents().into_iter().flat_map(|(path, text)| links::broken(&repository::root(), &path, &text));
    assert_none(&faults.collect::<Vec<_>>());
}

#[test]
fn documents_name_only_targets_of_the_makefile() {
    let makefile = read("Makefile");
    let named: Vec<_> = documents()
        .into_iter()
        .flat_map(|(path, text)| commands::make_targets(&text).into_iter().map(move |it| (path.clone(), it)))
        .collect();
    for target in ["run", "test"] {
        assert!(
            named.contains(&("README.md".to_owned(), target.to_owned())),
            "the README lacks make {target}"
        );
    }
    let unknown = named.iter().filter(|(_, target)| !commands::has_target(&makefile, target));
    assert_none(&unknown.map(|(path, target)| format!("{path}: make {target}")).collect::<Vec<_>>());
}

#[test]
fn readme_calls_only_routes_that_exist() {
    let routes = commands::routes_called(&read("README.md"));
    assert!(routes.len() >= 5, "the walk-through calls the server: {routes:?}");
    let document = repository::root().join("docs/openapi.json");
    if !document.is_file() {
        return;
    }
    let document = serde_json::from_str(&fs::read_to_string(document).unwrap()).unwrap();
    let unknown = routes.iter().filter(|route| !commands::has_route(&document, route));
    assert_none(&unknown.map(|route| format!("README.md: {route} is no route")).collect::<Vec<_>>());
}

#[test]
fn the_page_about_keys_has_every_finding_of_the_doctor() {
    let page = read("docs/keys.md");
    let missing = kunji_server::domain::doctor::Fault::ALL.iter().filter(|fault| {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", fault.code())));
        row.is_none_or(|row| fault.can_be_mended() != row.contains("--mend"))
    });
    assert_none(&missing.map(|fault| format!("docs/keys.md: {}", fault.code())).collect::<Vec<_>>());
}
