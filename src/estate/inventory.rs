//! Builds the report on everything in scope, with what could not be read.

use std::{collections::HashSet, time::Duration};

use super::{Guard, Listed, Listing, Protected};
use crate::{
    arm::{Client, Error, Subscriptions, Unreadable},
    azure::Terms,
    policy::{Policy, Protection},
    report::{Entry, Gap, Report},
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
    unreadable: usize,
    /// The number of resources that might be protected, if Resource Graph does not list what is protected.
    perhaps_protected: usize,
}

/// Fills a report with everything in scope, each request within `time`. A refusal by Azure is a gap in the report; if Resource
/// Graph refuses, the exact lists are read instead. `on_page` receives the number of resources read and, if known,
/// the total.
///
/// # Errors
/// A request to Azure failed.
pub async fn inventory(
    arm: &Client,
    guard: &Guard,
    policy: &Policy,
    mut report: Report,
    time: Duration,
    on_page: impl FnMut(usize, Option<usize>),
) -> Result<Report, Error> {
    let protected = guard.protected(arm, policy, Terms::behind_events(time)).await;
    let listing = Listing::of_all(&policy.scope, report.source()).narrowed(report.selection());
    report.add_exemptions(&policy.exemptions);
    let mut inventory = Inventory {
        arm,
        policy,
        guard,
        protected: &protected,
        time,
        report,
        unreadable: 0,
        perhaps_protected: 0,
    };
    let subscriptions = inventory.subscriptions().await?;
    inventory.read(listing.with_subscriptions(subscriptions), on_page).await?;
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
        while let Some(page) = listing.next(self.arm, self.terms()).await? {
            read += page.resources.len() + page.unreadable.len();
            let now = self.report.taken_at();
            self.guard.read_rights(self.arm, self.policy, &page.resources, now, self.terms()).await;
            self.add(&page, listing.place());
            on_page(read, listing.announced());
        }
        self.report.set_source(listing.source());
        for Gap { what, why } in listing.gaps() {
            self.report.add_gap(what, why);
        }
        Ok(())
    }

    fn add(&mut self, page: &Listed, place: &str) {
        let now = self.report.taken_at();
        for resource in &page.resources {
            let protection = self.protected.of(resource);
            let is_doubtful = matches!(protection.weighed(resource, now), Protection::Unknown(_));
            self.perhaps_protected += usize::from(is_doubtful);
            self.report.add(&Entry::new(self.policy, resource, &protection, now));
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
        // What is refused is a gap already.
        let Some(in_scope) = in_scope else { return Ok(vec![]) };
        if in_scope.is_empty() {
            self.report.add_gap("everything", if_none);
        }
        if let Some(visible) = &visible {
            let visible: HashSet<_> = visible.iter().map(|id| id.to_ascii_lowercase()).collect();
            for id in &in_scope {
                if visible.contains(&id.to_ascii_lowercase()) {
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
            Ok(Subscriptions { ids, names, unread }) => {
                for (id, name) in names {
                    self.report.name_subscription(&id, &name);
                }
                for Unreadable { what, why } in unread {
                    self.report.add_gap(what, why);
                }
                Ok(Some(ids))
            }
            Err(error) if error.is_refusal() => {
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
