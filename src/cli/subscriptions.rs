//! The names of subscriptions, for people.

use std::collections::BTreeMap;

use super::session::Session;
use crate::scope::Scope;

/// A terminal that is not as wide has no room for a column of subscriptions: there they are headings.
pub(super) const WIDTH_OF_SUBSCRIPTIONS: usize = 110;

/// The names by the IDs, in lower case.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(BTreeMap<String, String>);

/// Reads the names of all that the identity sees. They are a comfort, so a failure is none: without them there are IDs.
pub(super) async fn subscriptions(session: &Session) -> Subscriptions {
    let listed = session.ctx.arm.subscriptions(&Scope::Visible, session.terms()).await;
    let names = listed.map(|listed| listed.names).unwrap_or_default();
    Subscriptions(names.into_iter().map(|(id, name)| (id.to_ascii_lowercase(), name)).collect())
}

impl Subscriptions {
    /// The name, if the identity sees it.
    pub(super) fn name(&self, id: &str) -> Option<&str> {
        self.0.get(&id.to_ascii_lowercase()).map(String::as_str)
    }

    /// The name, or the ID.
    pub(super) fn title<'a>(&'a self, id: &'a str) -> &'a str {
        self.name(id).unwrap_or(id)
    }
}
