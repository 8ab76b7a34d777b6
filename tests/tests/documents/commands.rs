//! Commands and routes that documents name.

use serde_json::Value;

/// Targets in `make <target>`, where that stands at the beginning of a code span or of a line of a code block.
pub(crate) fn make_targets(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let code: Vec<&str> =
            if fenced { vec![line.trim()] } else { line.split('`').skip(1).step_by(2).collect() };
        let targets = code.iter().filter_map(|code| code.strip_prefix("make ")?.split_whitespace().next());
        found.extend(targets.map(str::to_owned));
    }
    found
}

/// Whether the Makefile has the target.
pub(crate) fn has_target(makefile: &str, target: &str) -> bool {
    makefile.lines().any(|line| line.strip_prefix(target).is_some_and(|rest| rest.starts_with(':')))
}

/// Paths behind `$server` in the shell blocks.
pub(crate) fn routes_called(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let calls = blocks.flat_map(|block| block.split("$server/").skip(1));
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '?' | ')');
    calls.map(|call| format!("/{}", call.split(ends).next().unwrap_or(""))).collect()
}

/// Whether a path of the OpenAPI document takes this one.
pub(crate) fn has_route(document: &Value, route: &str) -> bool {
    let fits = |template: &str| {
        let (template, route): (Vec<_>, Vec<_>) = (template.split('/').collect(), route.split('/').collect());
        template.len() == route.len()
            && template.iter().zip(&route).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    document["paths"].as_object().is_some_and(|paths| paths.keys().any(|template| fits(template)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_in_code_only() {
        let text = "they make tea; `make run`, `make -s`\n```text\nmake test   the gate\n```\n";
        assert_eq!(make_targets(text), ["run", "-s", "test"]);
        assert!(has_target("run: build ## Serve\n", "run"));
        assert!(!has_target("run: build\n.PHONY: tea\n", "tea") && !has_target("runs: x\n", "run"));
    }

    #[test]
    fn routes_are_found_in_shell_blocks() {
        let text = "$server/no\n```sh\ncurl \"$server/a/b?c=d\" $server/e\nx \"$server/f\")\n```\n";
        assert_eq!(routes_called(text), ["/a/b", "/e", "/f"]);
    }

    #[test]
    fn routes_fit_templates() {
        let document = serde_json::json!({ "paths": { "/a/{b}": {}, "/c": {} } });
        for (route, known) in [("/a/x", true), ("/c", true), ("/a", false), ("/a/x/y", false), ("/d", false)]
        {
            assert_eq!(has_route(&document, route), known, "{route}");
        }
    }
}
