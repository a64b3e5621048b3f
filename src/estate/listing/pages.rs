//! The pages of one query or of one list.

use crate::{
    arm::{Client, Error, Page, Query, Rows, Unreadable},
    azure::Terms,
    policy::Selection,
    resource::Resource,
    resource_id::ResourceType,
    scope::Scope,
};

/// The smallest page that is asked for if Resource Graph finds a larger one too large.
const ROWS_MIN: usize = 10;

/// One page.
#[derive(Debug, Default)]
pub struct Listed {
    /// The resources on the page that no earlier page had.
    pub resources: Vec<Resource>,
    /// The elements that could not be read.
    pub unreadable: Vec<Unreadable>,
}

impl Listed {
    /// The part of the page that is selected. What may be selected or not is unreadable, with its ID.
    pub(super) fn selected(mut self, selection: &Selection) -> Self {
        if selection.is_all() {
            return self;
        }
        let unreadable = &mut self.unreadable;
        self.resources.retain(|resource| {
            selection.contains(resource).unwrap_or_else(|| {
                let why = "its time of creation cannot be read, so it may be selected or not".to_owned();
                unreadable.push(Unreadable { what: resource.id.to_string(), why });
                false
            })
        });
        self
    }
}

/// A part of what is to be read.
#[derive(Debug)]
pub(super) enum Part {
    /// The rows of a query.
    Query(QueryPages),
    /// One list of one subscription.
    List(ListPages),
    /// A scope, whose subscriptions are to be listed; by queries if these were not tried yet.
    Subscriptions { scope: Scope, by_query: bool },
}

impl Part {
    pub(super) fn list(subscription: &str, kind: ResourceType) -> Self {
        Self::List(ListPages { subscription: subscription.to_owned(), kind, page: None })
    }

    pub(super) fn is_query_of(&self, scope: &Scope) -> bool {
        matches!(self, Self::Query(pages) if pages.scope() == scope)
    }
}

/// What is being read.
#[derive(Debug)]
pub(super) enum Pages {
    Query(QueryPages),
    List(ListPages),
}

impl Pages {
    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self, arm: &Client, terms: Terms) -> Result<Option<Listed>, Error> {
        match self {
            Self::Query(pages) => pages.next(arm, terms).await,
            Self::List(pages) => pages.next(arm, terms).await,
        }
    }

    pub(super) fn place(&self) -> String {
        match self {
            Self::Query(_) => "Resource Graph".to_owned(),
            Self::List(list) => list.place(),
        }
    }
}

/// The rows of a query, from one to another.
#[derive(Debug)]
pub(super) struct QueryPages {
    query: Query,
    /// The row before which it ends; `None` for the last.
    until: Option<usize>,
    /// The number of all rows, once it is known.
    total: Option<usize>,
    /// Whether the whole result was seen before this part of it.
    is_divided: bool,
    /// The place of the next row.
    position: usize,
    /// The last page, without its rows.
    last: Option<Rows>,
    on_page: usize,
}

impl QueryPages {
    pub(super) fn new(query: Query) -> Self {
        let position = query.skip;
        Self { query, until: None, total: None, is_divided: false, position, last: None, on_page: 0 }
    }

    async fn next(&mut self, arm: &Client, terms: Terms) -> Result<Option<Listed>, Error> {
        if self.until.is_some_and(|until| self.position >= until) {
            return Ok(None);
        }
        let Some(mut rows) = arm.query(&self.query, self.last.as_ref(), terms).await? else {
            return Ok(None);
        };
        self.on_page = rows.rows.len();
        self.position += self.on_page;
        self.total = Some(rows.total);
        let (resources, unreadable) = rows.take_resources();
        self.last = Some(rows);
        Ok(Some(Listed { resources, unreadable }))
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.query.scope
    }

    /// The number of all rows of the query; 0 while it is not known.
    pub(super) fn total(&self) -> usize {
        self.total.unwrap_or_default()
    }

    /// The number of rows on the last page.
    pub(super) fn on_page(&self) -> usize {
        self.on_page
    }

    /// Whether it is a part of a result whose size was known before.
    pub(super) fn is_known(&self) -> bool {
        self.is_divided
    }

    /// The number of rows that no page has returned so far.
    pub(super) fn remaining(&self) -> usize {
        let end = self.until.map_or(self.total(), |until| until.min(self.total()));
        end.saturating_sub(self.position)
    }

    /// The rows before a place, and those from it on.
    pub(super) fn divided_at(&self, start: usize) -> (Self, Self) {
        let from = |skip, until| Self {
            until,
            total: self.total,
            is_divided: true,
            ..Self::new(Query { skip, ..self.query.clone() })
        };
        (from(0, Some(start)), from(start, None))
    }

    /// The rest of it with fewer rows on a page; none if a page has hardly any.
    pub(super) fn in_smaller_pages(&self) -> Option<Self> {
        let top = self.query.top / 10;
        (top >= ROWS_MIN).then(|| Self {
            until: self.until,
            total: self.total,
            is_divided: self.is_divided || self.position > 0,
            ..Self::new(Query { skip: self.position, top, ..self.query.clone() })
        })
    }
}

/// The pages of one list of one subscription.
#[derive(Debug)]
pub(super) struct ListPages {
    subscription: String,
    kind: ResourceType,
    page: Option<Page>,
}

impl ListPages {
    async fn next(&mut self, arm: &Client, terms: Terms) -> Result<Option<Listed>, Error> {
        let page = match &self.page {
            None => Some(arm.list(&self.subscription, self.kind, terms).await?),
            Some(page) => arm.next(&self.subscription, page, terms).await?,
        };
        let Some(mut page) = page else { return Ok(None) };
        let (resources, unreadable) =
            (std::mem::take(&mut page.resources), std::mem::take(&mut page.unreadable));
        self.page = Some(page);
        Ok(Some(Listed { resources, unreadable }))
    }

    pub(super) fn place(&self) -> String {
        format!("the list of {} of subscription {}", self.kind, self.subscription)
    }
}
