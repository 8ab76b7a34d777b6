//! Rust source text as far as the rules need it: words and punctuation with their lines, without comments,
//! literals and test-only items, and the paths these words make.

use std::collections::BTreeSet;

/// Words after which a path may begin with `::`, and so look like its first segment.
const KEYWORDS: &[&str] = &[
    "as", "const", "dyn", "else", "for", "if", "impl", "in", "match", "move", "mut", "return", "unsafe",
    "use", "where", "while",
];

/// One file of a crate, by the module it is.
pub(crate) struct SourceFile {
    /// Module path below the crate root: `adapters/pkcs11/mod.rs` is `["adapters", "pkcs11"]`.
    pub(crate) module: Vec<String>,
    tokens: Vec<Token>,
    lines: usize,
}

struct Token {
    text: String,
    line: usize,
}

/// A path as written, resolved to the crate root where it starts with `crate`, `self` or `super`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathUse {
    pub(crate) line: usize,
    pub(crate) from_root: bool,
    pub(crate) segments: Vec<String>,
}

impl SourceFile {
    /// Reads the text of the file at `path`, relative to the crate's `src`, with `/` between its parts.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let all = tokens(&without_comments_and_literals(text));
        let test_only = test_only_items(&all);
        let test_lines: BTreeSet<usize> =
            test_only.iter().flat_map(|&(first, last)| all[first].line..=all[last].line).collect();
        let tokens = all
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !test_only.iter().any(|&(first, last)| (first..=last).contains(at)))
            .map(|(_, token)| token)
            .collect();
        Self { module: module_of(path), tokens, lines: text.lines().count() - test_lines.len() }
    }

    /// Lines that are not part of a test-only item.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// Every path of two or more segments, with `use` trees taken apart.
    pub(crate) fn paths(&self) -> BTreeSet<PathUse> {
        let mut paths = BTreeSet::new();
        let mut scopes = vec![self.module.clone()];
        let mut at = 0;
        while at < self.tokens.len() {
            match self.word(at) {
                "mod" if self.word(at + 2) == "{" => {
                    let mut inner = scopes[scopes.len() - 1].clone();
                    inner.push(self.tokens[at + 1].text.clone());
                    scopes.push(inner);
                    at += 3;
                }
                "{" => {
                    scopes.push(scopes[scopes.len() - 1].clone());
                    at += 1;
                }
                "}" => {
                    if scopes.len() > 1 {
                        scopes.pop();
                    }
                    at += 1;
                }
                word if is_identifier(word) && !KEYWORDS.contains(&word) => {
                    let line = self.tokens[at].line;
                    let mut found = Vec::new();
                    at = self.tree(at, &[], &mut found);
                    let scope = &scopes[scopes.len() - 1];
                    let found = found.into_iter().filter(|segments| segments.len() > 1);
                    paths.extend(found.map(|segments| resolve(scope, segments, line)));
                }
                _ => at += 1,
            }
        }
        paths
    }

    /// Reads the path or `use` tree at `at` below `prefix`; returns the index after it.
    fn tree(&self, mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            path.push(self.word(at).to_owned());
            at += 1;
            if self.word(at) != "::" {
                break;
            }
            match self.word(at + 1) {
                "{" => return self.group(at + 2, &path, found),
                "*" => {
                    path.push("*".to_owned());
                    at += 2;
                    break;
                }
                next if is_identifier(next) => at += 1,
                // A turbofish, whose arguments are paths of their own.
                _ => break,
            }
        }
        found.push(path);
        at
    }

    fn group(&self, mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
        while at < self.tokens.len() && self.word(at) != "}" {
            match self.word(at) {
                // The new name is no path.
                "as" => at += 2,
                "*" => {
                    found.push([prefix, &["*".to_owned()]].concat());
                    at += 1;
                }
                word if is_identifier(word) => at = self.tree(at, prefix, found),
                _ => at += 1,
            }
        }
        at + 1
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }
}

fn module_of(path: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(stem, "lib" | "main") || stem.ends_with("/mod") {
        module.pop();
    }
    module
}

fn resolve(scope: &[String], segments: Vec<String>, line: usize) -> PathUse {
    let is_relative = |segment: &String| matches!(segment.as_str(), "self" | "super");
    let mut base = match segments.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("self" | "super") => scope.to_vec(),
        _ => {
            return PathUse { line, from_root: false, segments };
        }
    };
    for _ in segments.iter().take_while(|segment| is_relative(segment)).filter(|s| *s == "super") {
        base.pop();
    }
    let rest = segments.into_iter().skip_while(|s| s == "crate" || is_relative(s));
    base.extend(rest);
    PathUse { line, from_root: true, segments: base }
}

/// The ranges of tokens, both ends included, that `#[cfg(test)]`, or a `cfg` that needs `test`, keeps out of
/// a build.
fn test_only_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = attribute_end(tokens, at);
        if end == at {
            at += 1;
            continue;
        }
        let names = |word: &str| tokens[at..end].iter().any(|token| token.text == word);
        if names("cfg") && names("test") && !names("not") {
            let item = item_end(tokens, end);
            items.push((at, item));
            at = item + 1;
        } else {
            at = end;
        }
    }
    items
}

/// The index after the attribute that starts at `at`; `at` where none does.
fn attribute_end(tokens: &[Token], at: usize) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    if word(at) != "#" || word(at + 1) != "[" {
        return at;
    }
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at + 1) {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// The last token of the item at `at`, further attributes included: its closing brace or semicolon, or the
/// last token before the brace that closes what surrounds it.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while attribute_end(tokens, at) > at {
        at = attribute_end(tokens, at);
    }
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return index - 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.text.as_str(), "}" | ";") {
            return index;
        }
    }
    tokens.len() - 1
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(masked: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, text) in masked.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (word, tail) = rest.split_at(length);
            tokens.push(Token { text: word.to_owned(), line: number + 1 });
            rest = tail.trim_start();
        }
    }
    tokens
}

/// The same lines, with a space for every character of a comment, and of a string or character literal.
fn without_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment_end(&chars, at);
        if end == at {
            masked.push(chars[at]);
            at += 1;
        } else {
            masked.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    masked
}

fn literal_or_comment_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment_length(rest),
        ['"', ..] => at + quoted_length(rest, '"'),
        ['\'', '\\', ..] => at + quoted_length(rest, '\''),
        ['\'', _, '\'', ..] => at + 3,
        ['r', '"' | '#', ..] if !inside_word => at + raw_string_length(rest),
        ['b' | 'c', 'r', '"' | '#', ..] if !inside_word => at + raw_string_length(&rest[1..]) + 1,
        _ => at,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of `r#"…"#` at the start of `rest`; 1, the letter alone, for a raw identifier.
fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 1;
    }
    let body = 2 + hashes;
    let closes = |at: &usize| {
        rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    (body..rest.len()).find(closes).map_or(rest.len(), |quote| quote + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, module_of};

    fn paths(path: &str, text: &str) -> Vec<String> {
        let paths = SourceFile::parse(path, text).paths();
        paths.iter().filter(|path| path.from_root).map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn module_follows_the_path() {
        assert_eq!(module_of("lib.rs"), Vec::<String>::new());
        assert_eq!(module_of("app.rs"), ["app"]);
        assert_eq!(module_of("api/mod.rs"), ["api"]);
        assert_eq!(module_of("adapters/pkcs11/error.rs"), ["adapters", "pkcs11", "error"]);
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let text = "use crate::{domain::{key::KeyState, *}, ports::Clock as Now, adapters::*};";
        let expected = ["adapters::*", "domain::*", "domain::key::KeyState", "ports::Clock"];
        assert_eq!(paths("app.rs", text), expected);
    }

    #[test]
    fn paths_inside_expressions_and_types_are_found() {
        let text = "fn f(x: &crate::domain::Key) { Vec::<crate::ports::Clock>::new(); g(crate::api::h()) }";
        assert_eq!(paths("app.rs", text), ["api::h", "domain::Key", "ports::Clock"]);
    }

    #[test]
    fn super_is_resolved_through_inline_modules() {
        let text = "use super::super::api::A; mod inner { use super::B; } fn f() { super::C::d(); }";
        assert_eq!(paths("services/keys.rs", text), ["api::A", "services::C::d", "services::keys::B"]);
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = r##"
            // crate::a::B
            /* crate::a::B /* nested */ crate::a::B */
            const A: &str = "crate::a::\"B"; const B: &str = r#"crate::a::"B"#; const C: char = '"';
            fn f<'a>(x: &'a str) -> char { '\'' }
            use crate::c::D;
        "##;
        assert_eq!(paths("app.rs", text), ["c::D"]);
    }

    #[test]
    fn test_only_items_are_left_out() {
        let text = "use crate::a::A;\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n    use crate::b::B;\n}\n\
                    #[cfg(all(test, unix))] use crate::b::C;\n#[cfg(not(test))] use crate::d::D;\n";
        let file = SourceFile::parse("app.rs", text);
        assert_eq!(paths("app.rs", text), ["a::A", "d::D"]);
        assert_eq!(file.lines(), 2);
        assert_eq!(file.paths().iter().map(|path| path.line).collect::<Vec<_>>(), [1, 8]);
    }
}
