//! The number of resources in a scope.

use super::{Listing, parts, query};
use crate::{
    arm::{Client, Error, Query},
    azure::Terms,
    report::Source,
    scope::Scope,
};

impl Listing {
    /// The number of resources in scope, sealed or not; `None` for the lists, which hold all of them. Call it after the
    /// last page.
    ///
    /// # Errors
    /// A request to ARM failed or was refused.
    pub async fn in_scope(&self, arm: &Client, terms: Terms) -> Result<Option<usize>, Error> {
        if self.queried.is_empty() {
            return Ok(None);
        }
        let mut all = 0;
        for scope in &self.queried {
            all += of_query(arm, scope, terms).await?;
        }
        Ok(Some(all))
    }
}

/// The number of resources in a scope, sealed or not, by Resource Graph, or by the lists if it refuses.
///
/// # Errors
/// A request to ARM failed.
pub async fn count(arm: &Client, scope: &Scope, terms: Terms) -> Result<usize, Error> {
    let mut all = 0;
    for part in parts::scopes(scope) {
        match of_query(arm, &part, terms).await {
            Ok(count) => all += count,
            Err(error) if error.is_refusal() => return listed(arm, scope, terms).await,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn of_query(arm: &Client, scope: &Scope, terms: Terms) -> Result<usize, Error> {
    arm.count(&Query { top: 1, ..Query::new(query::count(), scope.clone()) }, terms).await
}

async fn listed(arm: &Client, scope: &Scope, terms: Terms) -> Result<usize, Error> {
    let mut listing = Listing::of_all(scope, Source::Lists);
    let mut all = 0;
    while let Some(page) = listing.next(arm, terms).await? {
        all += page.resources.len() + page.unreadable.len();
    }
    Ok(all)
}
