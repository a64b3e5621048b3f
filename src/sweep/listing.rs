//! Where a sweep gets its resources from: Resource Graph, or the exact lists where it refuses.

use std::time::Duration;

use crate::{
    arm::{self, Failure, Page, Query, Rows, Unreadable},
    azure::Terms,
    enforce::Context,
    policy::{Policy, TagRule},
    resource_id::ResourceType,
};

/// The time that a page needs, waits for its quota included.
const PAGE_TIME: Duration = Duration::from_secs(20);

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Resource Graph: one query over everything, which lags behind; the lists where it refuses.
    Graph,
    /// The exact lists, subscription by subscription.
    Lists,
}

/// Pages of resources, one in memory at a time.
pub(super) enum Listing {
    /// One query over everything.
    Graph { query: Query, rows: Option<Rows>, is_first: bool, seen: usize, total: usize },
    /// List after list.
    Lists { rest: Vec<(String, ResourceType)>, page: Option<(String, Page)> },
}

impl Listing {
    /// Where there is more than `run` can hand on, each run begins somewhere else, so that what cannot be
    /// sealed does not hide what can.
    pub(super) async fn begin(
        ctx: &Context,
        source: Source,
        run: Option<usize>,
        terms: Terms,
    ) -> Result<Self, arm::Error> {
        if source == Source::Lists {
            return Self::lists(ctx, terms).await;
        }
        let mut query = Query { text: kql(&ctx.policy), estate: ctx.policy.estate.clone(), skip: 0 };
        match ctx.arm.query(&query, None, terms).await {
            Ok(Some(rows)) if run.is_some_and(|run| rows.total > run) => {
                let hours = usize::try_from(ctx.now().unix_timestamp() / 3_600).unwrap_or_default();
                query.skip = hours.wrapping_mul(run.unwrap_or_default()) % rows.total;
                let rows = ctx.arm.query(&query, None, terms).await?;
                Ok(Self::graph(query, rows))
            }
            Ok(rows) => Ok(Self::graph(query, rows)),
            Err(arm::Error { failure: Failure::Resource(_) | Failure::Gone, .. }) => {
                Self::lists(ctx, terms).await
            }
            Err(error) => Err(error),
        }
    }

    fn graph(query: Query, rows: Option<Rows>) -> Self {
        let total = rows.as_ref().map_or(0, |rows| rows.total);
        Self::Graph { query, rows, is_first: true, seen: 0, total }
    }

    async fn lists(ctx: &Context, terms: Terms) -> Result<Self, arm::Error> {
        let subscriptions = ctx.arm.subscriptions(&ctx.policy.estate, terms).await?;
        let types = [ResourceType::Disk, ResourceType::Snapshot];
        let rest = subscriptions.iter().flat_map(|id| types.map(|kind| (id.clone(), kind))).collect();
        Ok(Self::Lists { rest, page: None })
    }

    pub(super) async fn next(&mut self, ctx: &Context, terms: Terms) -> Result<Option<Listed>, arm::Error> {
        match self {
            Self::Graph { query, rows, is_first, seen, .. } => {
                if !std::mem::take(is_first)
                    && let Some(previous) = rows.as_ref()
                {
                    *rows = ctx.arm.query(query, Some(previous), terms).await?;
                }
                Ok(rows.as_mut().map(|rows| {
                    let (resources, unreadable) = rows.take_resources();
                    *seen += resources.len() + unreadable.len();
                    Listed { resources, unreadable }
                }))
            }
            Self::Lists { rest, page } => {
                if let Some((subscription, previous)) = page.take()
                    && let Some(next) = ctx.arm.next(&subscription, &previous, terms).await?
                {
                    *page = Some((subscription, next));
                } else if let Some((subscription, kind)) = rest.pop() {
                    let first = ctx.arm.list(&subscription, kind, terms).await?;
                    *page = Some((subscription, first));
                }
                Ok(page.as_mut().map(|(_, page)| Listed {
                    resources: std::mem::take(&mut page.resources),
                    unreadable: std::mem::take(&mut page.unreadable),
                }))
            }
        }
    }

    /// How many resources of the query were on no page so far, before its beginning or after. The lists do
    /// not say.
    pub(super) fn remaining(&self) -> usize {
        match self {
            Self::Graph { seen, total, .. } => total.saturating_sub(*seen),
            Self::Lists { .. } => 0,
        }
    }

    /// How many resources are in scope, sealed or not. The lists hold them all, so they need not be asked.
    pub(super) async fn in_scope(&self, ctx: &Context, terms: Terms) -> Result<Option<usize>, arm::Error> {
        let Self::Graph { query, .. } = self else { return Ok(None) };
        let all = Query {
            text: format!(
                "resources | where {OURS} | project id, managedBy, tags, properties | order by id asc"
            ),
            skip: 0,
            ..query.clone()
        };
        Ok(ctx.arm.query(&all, None, terms).await?.map(|rows| rows.total))
    }
}

/// Whether another page can be had in time.
pub(super) fn has_time(terms: Terms) -> bool {
    terms.allow(PAGE_TIME)
}

/// One page.
pub(super) struct Listed {
    pub(super) resources: Vec<crate::resource::Resource>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// What may carry the seal.
const OURS: &str = "type in~ ('microsoft.compute/disks', 'microsoft.compute/snapshots')";

/// All disks and snapshots that lack the mode or a tag of the seal. Case in tag names makes some of them
/// candidates that are none; the decision sorts those out.
fn kql(policy: &Policy) -> String {
    let mode = "tostring(properties.dataAccessAuthMode) !~ 'AzureActiveDirectory'".to_owned();
    let lacking: Vec<_> = std::iter::once(mode).chain(policy.tags.iter().map(lacks)).collect();
    format!(
        "resources | where {OURS} | where {} | project id, managedBy, tags, properties | order by id asc",
        lacking.join(" or ")
    )
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
        let rule = TagRule::new("it's", r"\\' or true").unwrap();
        assert_eq!(lacks(&rule), r"tostring(tags['it\'s']) != '\\\' or true'");
        let rule = TagRule::new("at", "{sealed_at}").unwrap();
        assert_eq!(lacks(&rule), "isempty(tostring(tags['at']))");
    }
}
