//! What works now.

/// State of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// `token` or `database`.
    pub name: &'static str,
    /// Whether it answers.
    pub ready: bool,
}

/// Asks the token and the database whether they answer.
pub struct Readiness {}

impl Readiness {
    /// The state of every component; never fails, never waits longer than a few seconds.
    pub async fn check(&self) -> Vec<Component> {
        todo!()
    }
}
