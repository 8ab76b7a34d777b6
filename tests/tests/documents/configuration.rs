//! The page of settings against the settings.

use std::collections::{BTreeMap, BTreeSet};

/// The settings as the code has them.
pub(crate) struct Settings<'a> {
    /// The Rust file with the structs.
    pub(crate) source: &'a str,
    /// The TOML file with the defaults.
    pub(crate) defaults: &'a str,
}

/// What the page says of one setting. `None` where its table has no such column.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    environment: Option<String>,
    default: Option<String>,
}

/// Where `page` and `settings` differ.
pub(crate) fn faults(page: &str, settings: &Settings<'_>) -> Vec<String> {
    let (expected, said) = (expected(settings), rows(page, "Setting"));
    let mut faults = Vec::new();
    for (name, row) in &expected {
        match said.iter().filter(|(said, _)| said == name).collect::<Vec<_>>().as_slice() {
            [] => faults.push(format!("{name} is not on the page")),
            [(_, said)] if said == row => {}
            [(_, said)] => faults.push(format!("{name} is {row:?}, the page says {said:?}")),
            _ => faults.push(format!("{name} is on the page more than once")),
        }
    }
    faults.extend(
        said.iter()
            .filter(|(name, _)| !expected.contains_key(name))
            .map(|(name, _)| format!("{name} is no setting")),
    );
    faults.extend(policy_faults(page, settings.defaults));
    faults
}

/// Whether a setting has this environment variable.
pub(crate) fn is_setting(source: &str, variable: &str) -> bool {
    fields(source, "Settings")
        .iter()
        .any(|(name, kind)| !is_table(kind) && environment_name(name) == variable)
}

/// Names of our environment variables in a text.
pub(crate) fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_part(c));
    // With something before it, `KUNJI_` stands for all of them.
    words.filter(|word| word.starts_with("KUNJI_") && !word.ends_with('_')).map(str::to_owned).collect()
}

fn environment_name(setting: &str) -> String {
    format!("KUNJI_{}", setting.to_ascii_uppercase())
}

fn expected(settings: &Settings<'_>) -> BTreeMap<String, Row> {
    let defaults = toml_values(settings.defaults);
    let default = |name: &str| defaults.get(name).cloned().unwrap_or_else(|| "(none)".to_owned());
    let in_table = |default: String| Row { environment: None, default: Some(default) };
    let mut expected = BTreeMap::new();
    for (name, kind) in fields(settings.source, "Settings") {
        match name.as_str() {
            "subject" => {
                for (member, _) in fields(settings.source, "Subject") {
                    let name = format!("subject.{member}");
                    expected.insert(name.clone(), in_table(default(&name)));
                }
            }
            "policies" => {
                for (member, kind) in fields(settings.source, "Policy") {
                    let default = if kind.starts_with("Option<") { "(none)" } else { "below" };
                    expected.insert(format!("policies.APPLICATION.{member}"), in_table(default.to_owned()));
                }
            }
            // Their defaults stand in the text.
            "external_issuers" => {
                for (member, _) in fields(settings.source, "ExternalIssuer") {
                    let row = Row { environment: None, default: None };
                    expected.insert(format!("external_issuers.NAME.{member}"), row);
                }
            }
            "pkcs11_replicas" => {
                for (member, kind) in fields(settings.source, "Pkcs11Replica") {
                    let default = if kind.starts_with("BTreeMap<") { "(empty)" } else { "(none)" };
                    expected.insert(format!("pkcs11_replicas.{member}"), in_table(default.to_owned()));
                }
            }
            _ if is_table(&kind) => {
                let prefix = format!("{name}.");
                let entries = defaults.iter().filter(|(entry, _)| entry.starts_with(&prefix));
                expected.extend(entries.map(|(entry, value)| (entry.clone(), in_table(value.clone()))));
            }
            _ => {
                let row = Row { environment: Some(environment_name(&name)), default: Some(default(&name)) };
                expected.insert(name, row);
            }
        }
    }
    expected
}

fn is_table(kind: &str) -> bool {
    ["Subject", "Vec<Pkcs11Replica>"].contains(&kind) || kind.starts_with("BTreeMap<")
}

/// Name and type of each field of a struct.
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let opening = format!("pub struct {name} {{");
    let body = source.split_once(&opening).map_or("", |(_, rest)| rest);
    let lines = body.lines().take_while(|line| *line != "}");
    lines
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        .map(|(name, kind)| (name.to_owned(), kind.trim_end_matches(',').to_owned()))
        .collect()
}

/// Days of the policies as shipped.
fn policy_faults(page: &str, defaults: &str) -> Vec<String> {
    let mut shipped: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for (name, value) in toml_values(defaults) {
        let Some((application, member)) =
            name.strip_prefix("policies.").and_then(|name| name.split_once('.'))
        else {
            continue;
        };
        let place = usize::from(member == "pre_expire_days");
        shipped.entry(application.to_owned()).or_default()[place] = Some(value);
    }
    let said: BTreeMap<_, _> = table_rows(page, "Application")
        .into_iter()
        .map(|(_, cells)| (unquoted(&cells[0]), [cells.get(1).cloned(), cells.get(2).cloned()]))
        .collect();
    let names: BTreeSet<_> = shipped.keys().chain(said.keys()).collect();
    let differing = names.into_iter().filter(|name| shipped.get(*name) != said.get(*name));
    differing
        .map(|name| format!("policy {name} is {:?}, the page says {:?}", shipped.get(name), said.get(name)))
        .collect()
}

/// The rows of all tables whose first column has this heading, by the setting that the first cell names.
fn rows(page: &str, heading: &str) -> Vec<(String, Row)> {
    let cell = |heads: &[String], cells: &[String], name: &str| {
        let place = heads.iter().position(|head| head == name)?;
        cells.get(place).map(|cell| unquoted(cell))
    };
    table_rows(page, heading)
        .into_iter()
        .map(|(heads, cells)| {
            let environment = cell(&heads, &cells, "Environment");
            (unquoted(&cells[0]), Row { environment, default: cell(&heads, &cells, "Default") })
        })
        .collect()
}

/// Headings and cells of each row of the tables whose first column has this heading.
fn table_rows(page: &str, heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let mut found = Vec::new();
    let mut heads: Option<Vec<String>> = None;
    for line in page.lines() {
        let Some(row) = line.strip_prefix('|') else {
            heads = None;
            continue;
        };
        let cells: Vec<String> =
            row.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        match &heads {
            None => heads = Some(cells),
            Some(_) if cells.iter().all(|cell| cell.starts_with("---")) => {}
            Some(heads) if heads[0] == heading => found.push((heads.clone(), cells)),
            Some(_) => {}
        }
    }
    found
}

fn unquoted(cell: &str) -> String {
    cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or(cell).to_owned()
}

/// The values of the defaults as the page writes them, by their full name. Reads the part of TOML that the
/// defaults use: one value a line, or a list over several.
fn toml_values(toml: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let (mut table, mut lines) = (String::new(), toml.lines());
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
            continue;
        }
        let (name, value) = line.split_once(" = ").unwrap_or_else(|| panic!("not read: {line}"));
        let mut value = value.to_owned();
        while value.starts_with('[') && !value.ends_with(']') {
            value.push_str(lines.next().expect("a list ends").trim());
        }
        values.insert(format!("{table}{}", name.trim_matches('"')), as_written(&value));
    }
    values
}

fn as_written(value: &str) -> String {
    let text = match value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(list) => {
            let items = list.split(',').map(|item| item.trim().trim_matches('"'));
            items.filter(|item| !item.is_empty()).collect::<Vec<_>>().join(", ")
        }
        None if value.starts_with('"') => value.trim_matches('"').to_owned(),
        None => value.replace('_', ""),
    };
    if text.is_empty() { "(empty)".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings<'_> = Settings {
        source: "pub struct Settings {\n    /// A.\n    pub size_bytes: u64,\n    pub names: Vec<String>,\n    pub \
                 file: Option<PathBuf>,\n    pub subject: Subject,\n    pub policies: BTreeMap<String, Policy>,\n    \
                 pub patterns: BTreeMap<String, String>,\n    pub pkcs11_replicas: \
                 Vec<Pkcs11Replica>,\n}\npub struct Pkcs11Replica {\n    pub name: String,\n}\npub struct Subject {\n    pub country: \
                 String,\n}\npub struct Policy {\n    pub validity_days: u32,\n    pub access: \
                 Option<Vec<String>>,\n}\n",
        defaults: "# text\nsize_bytes = 1_024\nnames = [\n    \"A\",\n    \"B/C\",\n]\n\n[subject]\ncountry = \
                   \"IN\"\n\n[patterns]\n\"*\" = \"[a-z]\"\n\n[policies.ROOT]\nvalidity_days = 10\n",
    };

    const PAGE: &str = "text\n\n| Setting | Environment | Default | Unit |\n|---|---|---|---|\n\
        | `size_bytes` | `KUNJI_SIZE_BYTES` | `1024` | bytes |\n\
        | `names` | `KUNJI_NAMES` | `A, B/C` | list |\n\
        | `file` | `KUNJI_FILE` | (none) | path |\n\n\
        | Setting | Default |\n|---|---|\n| `subject.country` | `IN` |\n\
        | `policies.APPLICATION.validity_days` | below |\n| `policies.APPLICATION.access` | (none) |\n\
        | `patterns.*` | `[a-z]` |\n| `pkcs11_replicas.name` | (none) |\n\n\
        | Application | `validity_days` | `pre_expire_days` |\n|---|---|---|\n| `ROOT` | 10 |\n";

    #[test]
    fn a_true_page_has_no_faults() {
        assert_eq!(faults(PAGE, &SETTINGS), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_untrue_is_found() {
        for (from, to) in [
            ("`1024`", "`1025`"),
            ("`KUNJI_SIZE_BYTES`", "`KUNJI_SIZE`"),
            ("| `names` |", "| `name` |"),
            ("`A, B/C`", "`A`"),
            ("(none) | path", "`x` | path"),
            ("| `subject.country` | `IN` |\n", ""),
            ("`patterns.*`", "`patterns.A`"),
            ("`pkcs11_replicas.name`", "`pkcs11_replicas.label`"),
            ("| `ROOT` | 10 |", "| `ROOT` | 11 |"),
            ("| `ROOT` | 10 |", "| `ROOT` | 10 |\n| `X` | 10 |"),
            ("| `file` | `KUNJI_FILE` | (none) | path |\n", ""),
            ("| `file` |", "| `file` | `KUNJI_FILE` | (none) | path |\n| `file` |"),
        ] {
            let page = PAGE.replacen(from, to, 1);
            assert_ne!(page, PAGE);
            assert!(!faults(&page, &SETTINGS).is_empty(), "{to}");
        }
    }

    #[test]
    fn variables_are_found_and_known_by_name() {
        assert_eq!(variables("`KUNJI_A_B`, KUNJI_ and XKUNJI"), BTreeSet::from(["KUNJI_A_B".to_owned()]));
        assert!(is_setting(SETTINGS.source, "KUNJI_SIZE_BYTES"));
        assert!(!is_setting(SETTINGS.source, "KUNJI_SUBJECT") && !is_setting(SETTINGS.source, "KUNJI_SIZE"));
    }
}
