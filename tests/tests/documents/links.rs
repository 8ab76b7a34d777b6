//! Relative links of Markdown files.

use std::{fs, path::Path};

/// Links in `text`, the file at `path` below `root`, that lead nowhere.
pub(crate) fn broken(root: &Path, path: &str, text: &str) -> Vec<String> {
    let place = Path::new(path).parent().unwrap_or(Path::new(""));
    let is_broken = |link: &&str| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() { root.join(path) } else { root.join(place).join(file) };
        !target.exists() || !(anchor.is_empty() || has_anchor(&target, anchor))
    };
    let links = prose(text);
    relative(&links)
        .into_iter()
        .filter(is_broken)
        .map(|link| format!("{path}: {link} leads nowhere"))
        .collect()
}

/// The text without its code: neither blocks nor spans hold links.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.extend(line.split('`').step_by(2));
            kept.push('\n');
        }
    }
    kept
}

fn relative(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// Whether a heading of the file makes this anchor.
fn has_anchor(file: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut fenced = false;
    text.lines().any(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#') && slug(line.trim_start_matches('#')) == anchor
    })
}

/// The anchor that code hosts make of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_from_their_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("docs")).unwrap();
        fs::write(directory.path().join("docs/a.md"), "# 2. What `it` is, now\n```\n# not this\n```\n")
            .unwrap();
        fs::write(directory.path().join("README.md"), "").unwrap();
        let broken = |text: &str| broken(directory.path(), "docs/a.md", text).len();
        for good in [
            "[x](a.md)",
            "[x](../README.md)",
            "[x](https://example.org/none)",
            "[x](#2-what-it-is-now)",
            "[x](a.md#2-what-it-is-now)",
            "`[x](none.md)`",
            "```\n[x](none.md)\n```",
        ] {
            assert_eq!(broken(good), 0, "{good}");
        }
        for bad in ["[x](README.md)", "a [x](a.md) [y](none.md)", "[x](#not-this)", "[x](a.md#2)"] {
            assert_eq!(broken(bad), 1, "{bad}");
        }
    }
}
