//! A request of the handler as the observer reads it.

use serde_json::Value;

use super::slot::SWITCH;

/// What a request is about. IDs are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A disk or snapshot itself.
    Resource(String),
    /// The tags of one.
    Tags(String),
    Switch,
    Poll,
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) about: About,
    pub(crate) body: Value,
    pub(crate) at: tokio::time::Instant,
}

#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Whether the answer is only an acknowledgement: its body says what was asked for.
    pub(crate) is_accepted_only: bool,
    pub(crate) body: Value,
}

impl Sent {
    pub(crate) fn new(method: &str, path: &str, body: Value) -> Self {
        Self { method: method.to_owned(), about: About::of(path), body, at: tokio::time::Instant::now() }
    }

    /// The resource that it would change, if it would change one.
    pub(crate) fn writes(&self) -> Option<&str> {
        match &self.about {
            About::Resource(id) | About::Tags(id) if self.method != "GET" => Some(id),
            _ => None,
        }
    }
}

impl About {
    fn of(path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        if path.contains("/diskoperations/") {
            return Self::Poll;
        }
        let (scope, is_tags) = match path.strip_suffix("/providers/microsoft.resources/tags/default") {
            Some(scope) => (scope.to_owned(), true),
            None => (path, false),
        };
        if is_tags && scope.eq_ignore_ascii_case(SWITCH) {
            return Self::Switch;
        }
        let parts: Vec<_> = scope.split('/').collect();
        let is_resource =
            parts.len() >= 9 && parts[6] == "microsoft.compute" && matches!(parts[7], "disks" | "snapshots");
        match (is_resource, is_tags) {
            // An action such as `endGetAccess` counts as the resource's.
            (true, false) => Self::Resource(parts[..9].join("/")),
            (true, true) => Self::Tags(scope),
            (false, _) => Self::Other,
        }
    }
}
