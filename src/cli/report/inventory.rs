//! Everything in scope, a page at a time: from Resource Graph, or from the exact lists.

use std::{
    collections::HashSet,
    io::{IsTerminal, Write},
};

use crate::{
    arm::{Error, Failure, Query, Unreadable},
    cli::session::Session,
    report::{Finding, Report, Run, Source},
    resource::Resource,
    resource_id::{Estate, ResourceId, ResourceType},
    sweep::Protected,
};

/// All disks and snapshots, sealed or not.
const KQL: &str = "resources | where type in~ ('microsoft.compute/disks', 'microsoft.compute/snapshots') \
                   | project id, location, managedBy, tags, properties | order by id asc";

/// How many unreadable elements of one listing are named, so that a page of nonsense does not fill the report.
const UNREADABLE_MAX: usize = 100;

/// A report in the making.
struct Inventory<'a> {
    session: &'a Session,
    report: Report,
    protected: &'a Protected,
    /// How many attached disks may be a protected machine's, where nobody says which are protected.
    perhaps_protected: usize,
    seen: HashSet<ResourceId>,
    progress: Progress,
}

/// Looks at everything in scope. What one subscription refuses is a gap in the report.
///
/// # Errors
/// Azure could not be asked.
pub(super) async fn take(session: &Session, expiring_within: u16, is_exact: bool) -> Result<Report, Error> {
    let ctx = &session.ctx;
    let identity = ctx.arm.identity().object_id(session.terms()).await?;
    let protected = Protected::read(ctx, session.terms()).await?;
    let run = |source| Run {
        taken_at: ctx.now(),
        identity: identity.clone(),
        scope: ctx.policy.estate.clone(),
        source,
        expiring_within,
    };
    let inventory = |source| Inventory {
        session,
        report: Report::new(run(source)),
        protected: &protected,
        perhaps_protected: 0,
        seen: HashSet::new(),
        progress: Progress { is_shown: std::io::stderr().is_terminal() },
    };
    if !is_exact {
        let mut by_graph = inventory(Source::ResourceGraph);
        if by_graph.ask_graph().await? {
            return Ok(by_graph.finish());
        }
    }
    let mut by_lists = inventory(Source::Lists);
    by_lists.ask_lists().await?;
    Ok(by_lists.finish())
}

impl Inventory<'_> {
    /// Whether Resource Graph answers at all.
    async fn ask_graph(&mut self) -> Result<bool, Error> {
        let ctx = &self.session.ctx;
        let query = Query { text: KQL.to_owned(), estate: ctx.policy.estate.clone(), skip: 0 };
        let mut page = match ctx.arm.query(&query, None, self.session.terms()).await {
            Ok(page) => page,
            Err(Error { failure: Failure::Resource(_) | Failure::Gone, .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.subscriptions().await?;
        let (mut read, mut announced, mut unreadable) = (0, 0, vec![]);
        while let Some(mut rows) = page {
            let (resources, unread) = rows.take_resources();
            read += resources.len() + unread.len();
            unreadable.extend(unread);
            announced = rows.total;
            self.add(&resources);
            self.progress.tell(read, Some(announced));
            page = ctx.arm.query(&query, Some(&rows), self.session.terms()).await?;
        }
        self.add_unreadable(&unreadable, "Resource Graph");
        if read < announced {
            let missing = announced - read;
            self.report.add_gap(
                format!("{missing} of the {announced} rows of Resource Graph"),
                "they were announced and did not come",
            );
        }
        Ok(true)
    }

    async fn ask_lists(&mut self) -> Result<(), Error> {
        for subscription in &self.subscriptions().await? {
            for kind in [ResourceType::Disk, ResourceType::Snapshot] {
                match self.list(subscription, kind).await {
                    Ok(()) => {}
                    Err(error) if matches!(error.failure, Failure::System(_)) => return Err(error),
                    Err(error) => {
                        let what = format!("{kind} of subscription {subscription}");
                        self.report.add_gap(what, error.to_string());
                    }
                }
            }
        }
        Ok(())
    }

    async fn list(&mut self, subscription: &str, kind: ResourceType) -> Result<(), Error> {
        let arm = &self.session.ctx.arm;
        let mut page = Some(arm.list(subscription, kind, self.session.terms()).await?);
        let mut unreadable = vec![];
        while let Some(mut list) = page {
            unreadable.append(&mut list.unreadable);
            self.add(&list.resources);
            self.progress.tell(self.seen.len(), None);
            page = arm.next(subscription, &list, self.session.terms()).await?;
        }
        self.add_unreadable(&unreadable, &format!("the list of {kind} of subscription {subscription}"));
        Ok(())
    }

    /// The subscriptions in scope. One that the identity does not see is a gap that Resource Graph would keep
    /// to itself.
    async fn subscriptions(&mut self) -> Result<Vec<String>, Error> {
        let estate = self.session.ctx.policy.estate.clone();
        let seen = self.list_subscriptions(&Estate::Visible, "the list of subscriptions").await?;
        let scope = match &estate {
            Estate::Visible => seen.clone(),
            Estate::Subscriptions(ids) => Some(ids.clone()),
            Estate::ManagementGroup(id) => {
                self.list_subscriptions(&estate, &format!("the management group {id}")).await?
            }
        };
        let Some(scope) = scope else { return Ok(vec![]) };
        if scope.is_empty() {
            let why = match &estate {
                Estate::ManagementGroup(id) => format!("the management group {id} has no subscription"),
                Estate::Visible | Estate::Subscriptions(_) => "the identity sees no subscription".to_owned(),
            };
            self.report.add_gap("everything", why);
        }
        for id in &scope {
            match &seen {
                None => {}
                Some(seen) if seen.iter().any(|seen| seen.eq_ignore_ascii_case(id)) => {
                    self.report.add_subscription(id);
                }
                Some(_) => self.report.add_gap(format!("subscription {id}"), "the identity does not see it"),
            }
        }
        Ok(scope)
    }

    /// None, and a gap, where Azure refuses.
    async fn list_subscriptions(
        &mut self,
        estate: &Estate,
        what: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        match self.session.ctx.arm.subscriptions(estate, self.session.terms()).await {
            Ok(ids) => Ok(Some(ids)),
            Err(error) if matches!(error.failure, Failure::System(_)) => Err(error),
            Err(error) => {
                self.report.add_gap(what, error.to_string());
                Ok(None)
            }
        }
    }

    /// Pages overlap when what is listed changes between them.
    fn add(&mut self, resources: &[Resource]) {
        let now = self.report.taken_at();
        for resource in resources {
            if self.seen.insert(resource.id.clone()) {
                let mut finding = Finding::new(&self.session.ctx.policy, resource, now);
                let vault = self.protected.of(resource).map(str::to_owned);
                match self.protected {
                    Protected::Known(_) => finding.vault = vault,
                    Protected::Unknown => self.perhaps_protected += usize::from(vault.is_some()),
                }
                self.report.add(finding);
            }
        }
    }

    fn finish(mut self) -> Report {
        if self.perhaps_protected > 0 {
            self.report.add_gap(
                format!("the vaults of {} attached disks", self.perhaps_protected),
                "Resource Graph does not say which machines Azure Backup and Azure Site Recovery protect; \
                 DISKSEAL_BACKUP_GUARD=off asks no more",
            );
        }
        self.report
    }

    fn add_unreadable(&mut self, unreadable: &[Unreadable], source: &str) {
        for Unreadable { what, why } in unreadable.iter().take(UNREADABLE_MAX) {
            self.report.add_gap(what, format!("{source} shows it, and it cannot be read: {why}"));
        }
        if unreadable.len() > UNREADABLE_MAX {
            let more = unreadable.len() - UNREADABLE_MAX;
            self.report.add_gap(format!("{more} more elements of {source}"), "they cannot be read either");
        }
    }
}

/// How far it is, on a terminal.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn tell(&self, read: usize, all: Option<usize>) {
        if self.is_shown {
            let all = all.map(|all| format!(" of {all}")).unwrap_or_default();
            let _ = write!(std::io::stderr(), "\r\u{1b}[Klooked at {read}{all}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
