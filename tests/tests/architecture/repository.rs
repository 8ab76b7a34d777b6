//! The committed files, and the checks of their names and texts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the top level may hold besides dotfiles.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "client-wasm",
    "docs",
    "server",
    "shared",
    "tests",
    "web-demo",
];

/// Directories of somebody's machine. Without the slashes, so that this file passes its own test.
const MACHINE_DIRECTORIES: &[&str] = &["home", "root", "work", "Users"];

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Paths of the committed files, relative to the root. In an unpacked archive, which git does not know: of all
/// files but those that a build or a run makes.
pub(crate) fn files() -> anyhow::Result<Vec<String>> {
    let root = root();
    let listing =
        Command::new("git").args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(&root).output();
    match listing {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let listed = String::from_utf8(output.stdout)?;
            let files = listed.split_terminator('\0').map(str::to_owned);
            // A file deleted since the last commit is still listed.
            Ok(files.filter(|file| root.join(file).is_file()).collect())
        }
        _ => {
            let mut files = Vec::new();
            walk(&root, "", &mut files)?;
            Ok(files)
        }
    }
}

fn walk(root: &Path, below: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let is_made =
            matches!(path.as_str(), "target" | ".kunji" | ".git" | "client-wasm/pkg" | "web-demo/dist");
        if is_made || path.ends_with("/node_modules") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Why `path` may not stand where it does.
pub(crate) fn misplaced(path: &str) -> Option<String> {
    let top = path.split('/').next().unwrap_or(path);
    let is_allowed = top.starts_with('.') || TOP_LEVEL.contains(&top);
    (!is_allowed).then(|| format!("{path}: {top} has no place at the top level"))
}

/// Lines of `text` that name an absolute path of one machine.
pub(crate) fn machine_paths(text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| MACHINE_DIRECTORIES.iter().any(|name| names_directory(line, name)))
        .map(|(number, line)| format!("line {}: {}", number + 1, line.trim()))
        .collect()
}

/// Whether `/name/` stands in `line` as the start of a path, not in the middle of one.
fn names_directory(line: &str, name: &str) -> bool {
    let continues_path =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '$' | '}' | '>');
    line.match_indices(&format!("/{name}/")).any(|(at, _)| !line[..at].ends_with(continues_path))
}

#[cfg(test)]
mod tests {
    use super::{files, machine_paths, misplaced};

    #[test]
    fn top_level_names_are_closed() {
        for path in ["Cargo.toml", ".ci/run", "server/src/lib.rs", "docs/decisions/README.md"] {
            assert_eq!(misplaced(path), None);
        }
        assert!(misplaced("notes.txt").is_some());
        assert!(misplaced("scripts/build").is_some());
    }

    #[test]
    fn machine_paths_are_found_and_routes_are_not() {
        for name in super::MACHINE_DIRECTORIES {
            assert_eq!(machine_paths(&format!("ok\nsee '/{name}/me/key'")).len(), 1);
            assert_eq!(machine_paths(&format!("/{name}/x")).len(), 1);
            assert!(
                machine_paths(&format!("https://example.org/{name}/x $HOME/{name}/x ../{name}/x")).is_empty()
            );
        }
    }

    #[test]
    fn this_file_is_among_the_committed_or_unpacked() {
        let files = files().unwrap();
        assert!(files.iter().any(|path| path == "tests/Cargo.toml"));
        assert!(!files.iter().any(|path| path.starts_with("target/")));
    }
}
