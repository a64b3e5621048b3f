//! Builds the report on everything in scope, with what could not be read.

use std::{collections::HashSet, time::Duration};

use super::{Guard, Listed, Listing, Protected, is_refusal};
use crate::{
    arm::{Client, Error, Unreadable},
    azure::Terms,
    policy::{Policy, Protection},
    report::{Entry, Report, Run, Source},
    resource_id::ResourceId,
    scope::Scope,
};

/// Maximum number of unreadable elements that the report names.
const UNREADABLE_MAX: usize = 100;

/// A report that is being built.
struct Inventory<'a> {
    arm: &'a Client,
    policy: &'a Policy,
    guard: &'a Guard,
    protected: &'a Protected,
    /// Time limit of one request.
    time: Duration,
    report: Report,
    seen: HashSet<ResourceId>,
    unreadable: usize,
    /// The number of resources that might be protected, if Resource Graph does not list what is protected.
    perhaps_protected: usize,
}

/// Reads everything in scope, each request within `time`. A refusal by Azure is a gap in the report; if Resource
/// Graph refuses, the exact lists are read instead. `on_page` receives the number of resources read and, if known,
/// the total.
///
/// # Errors
/// A request to Azure failed.
pub async fn inventory(
    arm: &Client,
    guard: &Guard,
    policy: &Policy,
    run: Run,
    time: Duration,
    on_page: impl FnMut(usize, Option<usize>),
) -> Result<Report, Error> {
    let protected = guard.protected(arm, policy, Terms::behind_events(time)).await;
    let listing = match run.source {
        Source::Graph => Listing::of_all(arm, &policy.scope, Terms::behind_events(time)).await?,
        Source::Lists => None,
    };
    let source = if listing.is_some() { Source::Graph } else { Source::Lists };
    let mut inventory = Inventory {
        arm,
        policy,
        guard,
        protected: &protected,
        time,
        report: Report::new(Run { source, ..run }),
        seen: HashSet::new(),
        unreadable: 0,
        perhaps_protected: 0,
    };
    let subscriptions = inventory.subscriptions().await?;
    inventory.read(listing.unwrap_or_else(|| Listing::lists(&subscriptions)), on_page).await?;
    Ok(inventory.finish())
}

impl Inventory<'_> {
    fn terms(&self) -> Terms {
        Terms::behind_events(self.time)
    }

    async fn read(
        &mut self,
        mut listing: Listing,
        mut on_page: impl FnMut(usize, Option<usize>),
    ) -> Result<(), Error> {
        let mut read = 0;
        loop {
            match listing.next(self.arm, self.terms()).await {
                Ok(None) => break,
                Ok(Some(page)) => {
                    read += page.resources.len() + page.unreadable.len();
                    let now = self.report.taken_at();
                    self.guard.read_rights(self.arm, self.policy, &page.resources, now, self.terms()).await;
                    self.add(&page, &listing.place());
                    on_page(read, listing.announced());
                }
                // The other lists can still be read.
                Err(error) if listing.announced().is_none() && is_refusal(&error) => {
                    self.report.add_gap(listing.place(), error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if let (Some(announced), missing @ 1..) = (listing.announced(), listing.remaining()) {
            let what = format!("{missing} of the {announced} rows of Resource Graph");
            self.report.add_gap(what, "Resource Graph announced them but did not return them");
        }
        Ok(())
    }

    /// Pages overlap if the listed resources change between them.
    fn add(&mut self, page: &Listed, place: &str) {
        let now = self.report.taken_at();
        for resource in &page.resources {
            if self.seen.insert(resource.id.clone()) {
                let protection = self.protected.of(resource);
                let is_doubtful = matches!(protection.weighed(resource, now), Protection::Unknown(_));
                self.perhaps_protected += usize::from(is_doubtful);
                self.report.add(Entry::new(self.policy, resource, &protection, now));
            }
        }
        for Unreadable { what, why } in &page.unreadable {
            self.unreadable += 1;
            if self.unreadable <= UNREADABLE_MAX {
                self.report.add_gap(what, format!("{place} returns it in a form that cannot be read: {why}"));
            }
        }
    }

    /// The subscriptions in scope. A subscription that the identity cannot see is a gap, which Resource Graph does not
    /// report.
    async fn subscriptions(&mut self) -> Result<Vec<String>, Error> {
        let visible = self.list_subscriptions(&Scope::Visible, "the list of subscriptions").await?;
        let (in_scope, if_none) = match &self.policy.scope {
            Scope::Visible => (visible.clone(), "the identity sees no subscription".to_owned()),
            Scope::Subscriptions(ids) => (Some(ids.clone()), "no subscription is in scope".to_owned()),
            group @ Scope::ManagementGroup(id) => {
                let what = format!("the management group {id}");
                (self.list_subscriptions(group, &what).await?, format!("{what} has no subscription"))
            }
        };
        let Some(in_scope) = in_scope else { return Ok(vec![]) };
        if in_scope.is_empty() {
            self.report.add_gap("everything", if_none);
        }
        if let Some(visible) = &visible {
            for id in &in_scope {
                if visible.iter().any(|visible| visible.eq_ignore_ascii_case(id)) {
                    self.report.add_subscription(id);
                } else {
                    self.report.add_gap(format!("subscription {id}"), "the identity does not see it");
                }
            }
        }
        Ok(in_scope)
    }

    /// Returns `None` and adds a gap if Azure refuses.
    async fn list_subscriptions(&mut self, scope: &Scope, what: &str) -> Result<Option<Vec<String>>, Error> {
        match self.arm.subscriptions(scope, self.terms()).await {
            Ok(ids) => Ok(Some(ids)),
            Err(error) if is_refusal(&error) => {
                self.report.add_gap(what, error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn finish(mut self) -> Report {
        if let more @ 1.. = self.unreadable.saturating_sub(UNREADABLE_MAX) {
            self.report.add_gap(format!("{more} more elements"), "they cannot be read either");
        }
        if self.perhaps_protected > 0 {
            let why = self.protected.doubts();
            self.report.add_gap(
                format!("the vaults of {} resources", self.perhaps_protected),
                format!("{}; DISKSEAL_BACKUP_GUARD=off skips the query", why.join("; ")),
            );
        }
        self.report
    }
}
