//! Lists resources with Resource Graph or, if it refuses, with the exact lists of each subscription.

use std::{time::Duration, vec};

use time::OffsetDateTime;

use super::is_refusal;
use crate::{
    arm::{self, Client, Page, Query, Rows, Unreadable},
    azure::Terms,
    policy::{Policy, TagRule},
    report::Source,
    resource::Resource,
    resource_id::ResourceType,
    scope::Scope,
};

/// The time that a page needs, including waits for its quota.
const PAGE_TIME: Duration = Duration::from_secs(20);

/// Selects the resource types that can be sealed.
const OURS: &str = "type in~ ('microsoft.compute/disks', 'microsoft.compute/snapshots')";
/// The columns from which a row is read as a resource, and the order that paging requires.
const COLUMNS: &str = "project id, location, managedBy, tags, properties | order by id asc";

/// A list of one subscription.
type List = (String, ResourceType);

/// Pages of resources, with one page in memory at a time.
#[derive(Debug)]
pub struct Listing(Pages);

#[derive(Debug)]
enum Pages {
    /// The pages of one query over everything; `rows` is the last page read, and `is_fresh` until it is returned.
    Graph { query: Query, rows: Option<Rows>, is_fresh: bool, returned: usize, total: usize },
    /// The pages of several lists in sequence; `page` is the last page read, of the list `current`.
    Lists { rest: vec::IntoIter<List>, current: Option<List>, page: Option<Page> },
}

impl Listing {
    /// Lists what is unsealed with Resource Graph, or everything in scope with the lists.
    ///
    /// # Errors
    /// A request to ARM failed. If Resource Graph refuses, the lists are read instead.
    pub async fn of_unsealed(
        arm: &Client,
        policy: &Policy,
        source: Source,
        terms: Terms,
    ) -> Result<Self, arm::Error> {
        if source == Source::Graph
            && let Some(listing) = Self::graph(arm, kql(policy), &policy.scope, terms).await?
        {
            return Ok(listing);
        }
        Ok(Self::lists(&arm.subscriptions(&policy.scope, terms).await?))
    }

    /// Lists everything in scope, sealed or not, with Resource Graph; `None` if it refuses.
    ///
    /// # Errors
    /// A request to ARM failed.
    pub async fn of_all(arm: &Client, scope: &Scope, terms: Terms) -> Result<Option<Self>, arm::Error> {
        Self::graph(arm, kql_of_all(), scope, terms).await
    }

    /// Lists everything in these subscriptions with the exact lists.
    pub fn lists(subscriptions: &[String]) -> Self {
        let types = [ResourceType::Disk, ResourceType::Snapshot];
        let lists: Vec<_> =
            subscriptions.iter().flat_map(|id| types.map(|kind| (id.clone(), kind))).collect();
        Self(Pages::Lists { rest: lists.into_iter(), current: None, page: None })
    }

    async fn graph(
        arm: &Client,
        text: String,
        scope: &Scope,
        terms: Terms,
    ) -> Result<Option<Self>, arm::Error> {
        let query = Query { text, scope: scope.clone(), skip: 0 };
        let rows = match arm.query(&query, None, terms).await {
            Ok(rows) => rows,
            Err(error) if is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let total = rows.as_ref().map_or(0, |rows| rows.total);
        Ok(Some(Self(Pages::Graph { query, rows, is_fresh: true, returned: 0, total })))
    }

    /// If there is more than one `run` can hand over, starts at a place that changes every hour, so that resources
    /// that cannot be sealed do not block others. Call it before the first page.
    ///
    /// # Errors
    /// A request to ARM failed.
    pub async fn rotate(
        &mut self,
        arm: &Client,
        run: usize,
        now: OffsetDateTime,
        terms: Terms,
    ) -> Result<(), arm::Error> {
        if let Pages::Graph { query, rows, total, .. } = &mut self.0
            && *total > run
        {
            let hours = usize::try_from(now.unix_timestamp() / 3_600).unwrap_or_default();
            query.skip = hours.wrapping_mul(run) % *total;
            *rows = arm.query(query, None, terms).await?;
        }
        Ok(())
    }

    /// The next page; `None` after the last. After an error, the lists continue with the next list.
    ///
    /// # Errors
    /// A request to ARM failed or was refused.
    pub async fn next(&mut self, arm: &Client, terms: Terms) -> Result<Option<Listed>, arm::Error> {
        match &mut self.0 {
            Pages::Graph { query, rows, is_fresh, returned, total } => {
                if !std::mem::take(is_fresh)
                    && let Some(previous) = rows.as_ref()
                {
                    *rows = arm.query(query, Some(previous), terms).await?;
                }
                Ok(rows.as_mut().map(|rows| {
                    let (resources, unreadable) = rows.take_resources();
                    *returned += resources.len() + unreadable.len();
                    *total = rows.total;
                    Listed { resources, unreadable }
                }))
            }
            Pages::Lists { rest, current, page } => {
                if let (Some(previous), Some((subscription, _))) = (page.take(), current.as_ref()) {
                    *page = arm.next(subscription, &previous, terms).await?;
                }
                if page.is_none() {
                    *current = rest.next();
                    if let Some((subscription, kind)) = current {
                        *page = Some(arm.list(subscription, *kind, terms).await?);
                    }
                }
                Ok(page.as_mut().map(|page| Listed {
                    resources: std::mem::take(&mut page.resources),
                    unreadable: std::mem::take(&mut page.unreadable),
                }))
            }
        }
    }

    /// The source of the last page or error.
    pub fn place(&self) -> String {
        match &self.0 {
            Pages::Graph { .. } => "Resource Graph".to_owned(),
            Pages::Lists { current: Some((subscription, kind)), .. } => {
                format!("the list of {kind} of subscription {subscription}")
            }
            Pages::Lists { current: None, .. } => "the lists".to_owned(),
        }
    }

    /// The number of resources in the query; `None` for the lists, whose size is unknown until their end.
    pub fn announced(&self) -> Option<usize> {
        match &self.0 {
            Pages::Graph { total, .. } => Some(*total),
            Pages::Lists { .. } => None,
        }
    }

    /// The number of resources that no page has returned so far.
    pub fn remaining(&self) -> usize {
        match &self.0 {
            Pages::Graph { returned, total, .. } => total.saturating_sub(*returned),
            Pages::Lists { .. } => 0,
        }
    }

    /// The number of resources in scope, sealed or not; `None` for the lists, which hold all of them.
    ///
    /// # Errors
    /// A request to ARM failed or was refused.
    pub async fn in_scope(&self, arm: &Client, terms: Terms) -> Result<Option<usize>, arm::Error> {
        let Pages::Graph { query, .. } = &self.0 else { return Ok(None) };
        let all = Query { text: kql_of_all(), skip: 0, ..query.clone() };
        Ok(arm.query(&all, None, terms).await?.map(|rows| rows.total))
    }
}

/// Whether another page can be read in time.
pub fn has_time(terms: Terms) -> bool {
    terms.allow(PAGE_TIME)
}

/// One page.
#[derive(Debug)]
pub struct Listed {
    /// The resources on the page.
    pub resources: Vec<Resource>,
    /// The elements that could not be read.
    pub unreadable: Vec<Unreadable>,
}

fn kql_of_all() -> String {
    format!("resources | where {OURS} | {COLUMNS}")
}

/// All disks and snapshots that lack the mode or a tag of the seal. Differences in the case of tag names make some
/// sealed resources candidates; the decision skips them.
fn kql(policy: &Policy) -> String {
    let mode = "tostring(properties.dataAccessAuthMode) !~ 'AzureActiveDirectory'".to_owned();
    let lacking: Vec<_> = std::iter::once(mode).chain(policy.tags.iter().map(lacks)).collect();
    format!("resources | where {OURS} | where {} | {COLUMNS}", lacking.join(" or "))
}

fn lacks(rule: &TagRule) -> String {
    let tag = format!("tostring(tags[{}])", text(rule.name()));
    match rule.fixed() {
        Some(value) => format!("{tag} != {}", text(&value)),
        None => format!("isempty({tag})"),
    }
}

/// A string literal of the Kusto query language ("The string data type").
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_cannot_leave_its_text() {
        let rule = TagRule::new("it's", r"\' or true").unwrap();
        assert_eq!(lacks(&rule), r"tostring(tags['it\'s']) != '\\\' or true'");
        let rule = TagRule::new("at", "{sealed_at}").unwrap();
        assert_eq!(lacks(&rule), "isempty(tostring(tags['at']))");
    }
}
