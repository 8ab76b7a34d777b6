//! The settings as they may be shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::digest::sha256;

/// Longest value that is shown; of longer ones, the digest is.
const SHOWN_BYTES: usize = 1024;
/// What ends the names of settings whose values are not shown. Files with secrets are: only their names are settings.
const HIDDEN: [&str; 5] = ["_argument", "_password", "_pin", "_secret", "_token"];
/// Settings whose values are addresses with a path that may be a secret, as those of incoming webhooks are.
const SECRET_PATHS: [&str; 1] = ["audit_anchor_url"];

/// Settings in the order of their names, without secrets, and without what is too long to be shown.
pub(super) fn shown(settings: BTreeMap<String, Value>) -> Value {
    settings
        .into_iter()
        .map(|(name, value)| {
            let shown = shown_value(&name, value);
            (name, shown)
        })
        .collect()
}

fn shown_value(name: &str, value: Value) -> Value {
    let value = without_secrets(name, value);
    let text = value.to_string();
    if text.len() <= SHOWN_BYTES {
        return value;
    }
    json!({ "sha256": kunji_shared::encoding::encode_hex(&sha256(text.as_bytes())) })
}

/// The same of what stands within tables and lists.
fn without_secrets(name: &str, value: Value) -> Value {
    if HIDDEN.iter().any(|end| name.ends_with(end)) {
        return json!(if value == "" { "" } else { "(set)" });
    }
    match value {
        Value::String(text) if SECRET_PATHS.contains(&name) => Value::String(without_path(&text)),
        Value::String(text) => Value::String(without_user(&text)),
        Value::Array(list) => list.into_iter().map(|value| without_secrets(name, value)).collect(),
        Value::Object(table) => table
            .into_iter()
            .map(|(member, value)| {
                // What a library's process is given may be a PIN.
                let shown =
                    if name == "environment" { json!("(set)") } else { without_secrets(&member, value) };
                (member, shown)
            })
            .collect(),
        other => other,
    }
}

/// An address without user, password and query.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?(set)"));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://(set)@{host}{path}{query}"),
        None => format!("{scheme}://{authority}{path}{query}"),
    }
}

/// Scheme and host of an address.
fn without_path(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text.is_empty() { String::new() } else { "(set)".to_owned() };
    };
    // A backslash counts as a slash where addresses are read.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let more = if host.len() == rest.len() { "" } else { "/(set)" };
    format!("{scheme}://{host}{more}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::without_path;
    use crate::config::load;

    #[test]
    fn of_an_anchor_only_scheme_and_host_are_shown() {
        for (url, shown) in [
            ("https://anchor.example:8443", "https://anchor.example:8443"),
            ("https://anchor.example/hooks/planted", "https://anchor.example/(set)"),
            ("https://user:planted@anchor.example", "https://anchor.example/(set)"),
            ("https://us/er@anchor.example?planted@x", "https://us/(set)"),
            ("https://anchor.example#planted", "https://anchor.example/(set)"),
            ("https://anchor.example\\planted", "https://anchor.example/(set)"),
            ("http://[::1]:8080/planted", "http://[::1]:8080/(set)"),
            ("planted", "(set)"),
            ("", ""),
        ] {
            assert_eq!(without_path(url), shown, "{url}");
        }
    }

    #[test]
    fn secrets_within_tables_are_not_shown() {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        let text = "[[pkcs11_replicas]]\nname = 'b'\ninitialize_argument = 'planted-argument'\n\
                    token_serial = '7'\nenvironment = { PIN = 'planted-pin' }\n\
                    [external_issuers.k]\nissuer = 'https://id.example'\naudiences = ['kunji']\nroles = {}\n\
                    key_set_url = 'https://id.example/keys?key=planted'\n";
        file.write_all(text.as_bytes()).unwrap();
        let settings = load(Some(file.path()), []).unwrap();
        let shown = settings.in_force.to_string();
        assert!(!shown.contains("planted"), "{shown}");
        assert_eq!(settings.in_force["pkcs11_replicas"][0]["token_serial"], "7");
        assert_eq!(settings.in_force["pkcs11_replicas"][0]["environment"]["PIN"], "(set)");
        assert_eq!(
            settings.in_force["external_issuers"]["k"]["key_set_url"],
            "https://id.example/keys?(set)"
        );
    }

    #[test]
    fn secrets_are_not_shown_and_long_values_are_short() {
        let long = "R/".to_owned() + &"x".repeat(2000);
        let settings = load(
            None,
            [
                ("KUNJI_PKCS11_PIN", "planted-pin"),
                ("KUNJI_PKCS11_PIN_FILE", "/run/pin"),
                ("KUNJI_PKCS11_INITIALIZE_ARGUMENT", "planted-argument"),
                ("KUNJI_DATABASE_URL", "ws://user:planted@db.example:1/x@y"),
                ("KUNJI_AUDIT_ANCHOR_URL", "https://anchor.example/planted/a?key=planted"),
                ("KUNJI_PUBLIC_CERTIFICATES", &long),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
        .unwrap();
        let shown = settings.in_force.to_string();
        assert!(!shown.contains("planted") && !shown.contains(&long), "{shown}");
        assert_eq!(settings.in_force["pkcs11_pin_file"], "/run/pin");
        assert_eq!(settings.in_force["database_url"], "ws://(set)@db.example:1/x@y");
        assert_eq!(settings.in_force["audit_anchor_url"], "https://anchor.example/(set)");
        assert_eq!(settings.in_force["pkcs11_initialize_argument"], "(set)");
        assert!(settings.in_force["public_certificates"]["sha256"].is_string());
        assert_eq!(settings.in_force["policies"]["ROOT"]["validity_days"], 2920);
    }
}
