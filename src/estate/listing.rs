//! How resources are listed: by Resource Graph, or by the exact lists of each subscription where it refuses.

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

/// The time that a page needs, waits for its quota included.
const PAGE_TIME: Duration = Duration::from_secs(20);

/// What may carry the seal.
const OURS: &str = "type in~ ('microsoft.compute/disks', 'microsoft.compute/snapshots')";
/// What a row must have to be read as a resource, and the order without which there are no pages.
const COLUMNS: &str = "project id, location, managedBy, tags, properties | order by id asc";

/// A list of one subscription.
type List = (String, ResourceType);

/// Pages of resources, one in memory at a time.
#[derive(Debug)]
pub struct Listing(Pages);

#[derive(Debug)]
enum Pages {
    /// Those of one query over everything; `rows` is the one that was read last, and `is_fresh` until it is returned.
    Graph { query: Query, rows: Option<Rows>, is_fresh: bool, returned: usize, total: usize },
    /// Those of list after list; `page` is the one that was read last, of the list `current`.
    Lists { rest: vec::IntoIter<List>, current: Option<List>, page: Option<Page> },
}

impl Listing {
    /// All that is not sealed, by Resource Graph; everything in scope, by the lists.
    ///
    /// # Errors
    /// ARM could not be asked. If Resource Graph refuses, the lists are read instead.
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

    /// Everything in scope, sealed or not, by Resource Graph; none if that refuses.
    ///
    /// # Errors
    /// ARM could not be asked.
    pub async fn of_all(arm: &Client, scope: &Scope, terms: Terms) -> Result<Option<Self>, arm::Error> {
        Self::graph(arm, kql_of_all(), scope, terms).await
    }

    /// Everything in these subscriptions, by the exact lists.
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

    /// If there is more than one `run` can hand over, begins at a place that changes from hour to hour, so that
    /// what cannot be sealed does not hide what can. To be called before the first page.
    ///
    /// # Errors
    /// ARM could not be asked.
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

    /// The next page; none after the last. After an error, the lists go on with the next list.
    ///
    /// # Errors
    /// ARM could not be asked, or refuses.
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

    /// Where the last page is from, and where the last error is.
    pub fn place(&self) -> String {
        match &self.0 {
            Pages::Graph { .. } => "Resource Graph".to_owned(),
            Pages::Lists { current: Some((subscription, kind)), .. } => {
                format!("the list of {kind} of subscription {subscription}")
            }
            Pages::Lists { current: None, .. } => "the lists".to_owned(),
        }
    }

    /// How many resources the query has; none for the lists, whose number is not known before their end.
    pub fn announced(&self) -> Option<usize> {
        match &self.0 {
            Pages::Graph { total, .. } => Some(*total),
            Pages::Lists { .. } => None,
        }
    }

    /// How many of them were on no page so far, before the first page or after the last.
    pub fn remaining(&self) -> usize {
        match &self.0 {
            Pages::Graph { returned, total, .. } => total.saturating_sub(*returned),
            Pages::Lists { .. } => 0,
        }
    }

    /// How many resources are in scope, sealed or not; none for the lists, which hold them all.
    ///
    /// # Errors
    /// ARM could not be asked, or refuses.
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
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// The elements that could not be read.
    pub unreadable: Vec<Unreadable>,
}

fn kql_of_all() -> String {
    format!("resources | where {OURS} | {COLUMNS}")
}

/// All disks and snapshots that lack the mode or a tag of the seal. The case of tag names makes some of them
/// candidates although they are sealed; the decision sorts those out.
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

/// A text of the Kusto query language ("The string data type").
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
