//! Which parameters a query may have. One that is misspelt would be a filter that does not filter, and whoever destroys
//! or exports what a list shows would have too much of it.

use poem::http::{Method, Uri};
use poem_openapi::{OpenApi, registry::MetaParamIn};

use super::{
    allowed_methods::fits,
    native::{Problem, ProblemKind},
};

/// The parameters of every described operation that has some.
pub(super) struct QueryNames(Vec<Described>);

struct Described {
    method: Method,
    template: String,
    names: Vec<String>,
}

impl QueryNames {
    /// Those of the operations of `A`.
    pub(super) fn of<A: OpenApi>() -> Self {
        let mut described = Vec::new();
        for path in A::meta().into_iter().flat_map(|api| api.paths) {
            for operation in path.operations {
                let in_query = operation.params.into_iter().filter(|it| it.in_type == MetaParamIn::Query);
                let names: Vec<String> = in_query.map(|parameter| parameter.name).collect();
                if !names.is_empty() {
                    described.push(Described {
                        method: operation.method,
                        template: path.path.clone(),
                        names,
                    });
                }
            }
        }
        Self(described)
    }

    /// That the query has nothing else. An operation without parameters of its own lets it be.
    ///
    /// # Errors
    /// What the operation takes.
    pub(super) fn check(&self, method: &Method, uri: &Uri) -> Result<(), Problem> {
        let Some(query) = uri.query() else { return Ok(()) };
        let is_asked = |it: &&Described| it.method == *method && fits(&it.template, uri.path());
        let Some(Described { names, .. }) = self.0.iter().find(is_asked) else { return Ok(()) };
        let mut given = query.split('&').filter_map(|pair| pair.split('=').next());
        // A name is taken as it is written in the description: it needs no escapes.
        if given.all(|name| name.is_empty() || names.iter().any(|known| known == name)) {
            return Ok(());
        }
        let names = names.join(", ");
        let detail = format!("the query has a parameter that is not taken here; those that are: {names}");
        Err(Problem::new(ProblemKind::RequestInvalid, detail))
    }
}
