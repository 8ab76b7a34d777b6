//! Which methods a path takes, for the `Allow` header (RFC 9110 15.5.6).

use poem::http::{HeaderValue, Method};
use poem_openapi::{OpenApi, registry::MetaPath};

/// The methods of every described path.
pub(super) struct AllowedMethods(Vec<(String, HeaderValue)>);

impl AllowedMethods {
    /// Those of the operations of `A`.
    pub(super) fn of<A: OpenApi>() -> Self {
        let paths: Vec<MetaPath> = A::meta().into_iter().flat_map(|api| api.paths).collect();
        let allowed = |path: &MetaPath| {
            let mut methods: Vec<&str> = vec![];
            for operation in &path.operations {
                methods.push(operation.method.as_str());
                if operation.method == Method::GET {
                    methods.push("HEAD");
                }
            }
            HeaderValue::from_str(&methods.join(", ")).ok()
        };
        Self(paths.iter().filter_map(|path| Some((path.path.clone(), allowed(path)?))).collect())
    }

    /// The methods of the path that `path` is an instance of.
    pub(super) fn for_path(&self, path: &str) -> Option<&HeaderValue> {
        self.0.iter().find(|(template, _)| fits(template, path)).map(|(_, methods)| methods)
    }
}

/// Whether the path is an instance of the template.
pub(super) fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    template
        .split('/')
        .all(|part| segments.next().is_some_and(|segment| part.starts_with('{') || part == segment))
        && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fit_their_instances() {
        assert!(fits("/a/{x}/{y}", "/a/1/2"));
        assert!(fits("/a", "/a"));
        for path in ["/a", "/a/1", "/a/1/2/3", "/b/1/2"] {
            assert!(!fits("/a/{x}/{y}", path), "{path}");
        }
    }
}
