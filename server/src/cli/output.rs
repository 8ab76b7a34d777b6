//! What commands print: JSON as the server gave it, or a table for people.

use std::io::{self, Write};

use serde_json::Value;

use super::{Remote, remote::printable};

impl Remote {
    /// Prints an answer, for programs or for people.
    ///
    /// # Errors
    /// The system's, when nobody takes what is printed.
    pub(super) fn print(&self, body: &Value, table: impl FnOnce(&Value) -> Table) -> io::Result<()> {
        let text = if self.json { format!("{body}\n") } else { table(body).to_string() };
        io::stdout().lock().write_all(text.as_bytes())
    }
}

/// A member of an answer; null when it is not there.
pub(super) fn member<'a>(body: &'a Value, name: &str) -> &'a Value {
    body.get(name).unwrap_or(&Value::Null)
}

/// Prints JSON for people and programs.
pub(super) fn print_json(value: &Value) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Rows under headings, in columns as wide as what stands in them.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row: texts as they are, lists and members separated by commas, nothing as a dash.
    pub(super) fn row(mut self, values: &[&Value]) -> Self {
        self.rows.push(values.iter().map(|value| cell(value)).collect());
        self
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        Value::Object(members) => {
            let pair = |(name, value): (&String, &Value)| format!("{}={}", printable(name), cell(value));
            members.iter().map(pair).collect::<Vec<_>>().join(",")
        }
        other => printable(&other.to_string()),
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let table = Table::new(&["CLIENT", "ROLES"])
            .row(&[&json!("a-long-name"), &json!(["signer", "encryptor"])])
            .row(&[&json!("b"), &Value::Null])
            .row(&[&json!({ "x": 1, "y": "z" }), &json!({})]);
        assert_eq!(
            table.to_string(),
            "CLIENT       ROLES\na-long-name  signer,encryptor\nb            -\nx=1,y=z      -\n"
        );
    }

    #[test]
    fn nothing_that_a_server_says_steers_the_terminal() {
        let table = Table::new(&["X"]).row(&[&json!("a\u{1b}[31m\nb")]);
        assert_eq!(table.to_string(), "X\na [31m b\n");
    }
}
