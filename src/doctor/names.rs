//! The names of the subscriptions that are checked.

use super::{Finding, Subscription};
use crate::{arm::Subscriptions, azure::Terms, enforce::Context, scope::Scope};

/// The names of the subscriptions in scope, as far as they can be read. Without them there are the IDs.
pub(super) struct Names(Vec<Subscription>);

impl Names {
    /// Of a scope that is given by IDs, the names have to be read.
    pub(super) async fn of(ctx: &Context, listed: Option<&Subscriptions>, terms: Terms) -> Self {
        let of = |names: &[(String, String)]| {
            let name = |(id, name): &(String, String)| Subscription { id: id.clone(), name: name.clone() };
            Self(names.iter().map(name).collect())
        };
        match listed {
            Some(listed) if listed.names.is_empty() && !listed.ids.is_empty() => {
                let visible = ctx.arm.subscriptions(&Scope::Visible, terms).await;
                of(&visible.map(|visible| visible.names).unwrap_or_default())
            }
            Some(listed) => of(&listed.names),
            None => of(&[]),
        }
    }

    /// The finding with the name of the subscription with which its `about` begins.
    pub(super) fn name(&self, finding: Finding) -> Finding {
        let is_of = |one: &&Subscription| {
            finding.about.get(..one.id.len()).is_some_and(|start| start.eq_ignore_ascii_case(&one.id))
        };
        let id = |one: &Subscription| finding.about[..one.id.len()].to_owned();
        let subscription =
            self.0.iter().find(is_of).map(|one| Box::new(Subscription { id: id(one), ..one.clone() }));
        Finding { subscription, ..finding }
    }
}
