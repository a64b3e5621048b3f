//! Lists resources with Resource Graph or, if it refuses, with the exact lists of each subscription.
//!
//! A part of the scope that cannot be read is a gap with its name, and the rest is read.

mod count;
mod pages;
mod parts;
mod query;

use std::collections::VecDeque;

use tracing::warn;

use crate::{
    arm::{Client, Error, Failure, Subscriptions, SystemFailure, Unreadable},
    azure::Terms,
    policy::{Policy, Selection},
    report::{Gap, Source},
    resource_id::ResourceType,
    scope::Scope,
};
pub use count::count;
pub use pages::Listed;
use pages::{Pages, Part};
use parts::{Begin, SUBSCRIPTIONS_MAX, is_of_one, is_too_large, queries, rotate};
pub use parts::{Seen, has_time};

/// How many pages of a list in a row may hold nothing new. Azure filters some lists late, so that a few pages are empty;
/// a list that goes on like this has no end.
const BARREN_MAX: usize = 50;
/// How many lists in a row may fail without a refusal: then Azure cannot be asked.
const FAILURES_MAX: usize = 4;

/// Pages of resources, with one page in memory at a time, and each resource once.
#[derive(Debug)]
pub struct Listing {
    /// The text of all queries.
    text: String,
    /// What is still to be read, in order.
    parts: VecDeque<Part>,
    /// What is being read.
    pages: Option<Pages>,
    begin: Option<Begin>,
    /// The subscriptions in scope, if they are known.
    subscriptions: Option<Vec<String>>,
    seen: Seen,
    gaps: Vec<Gap>,
    /// The scopes of the queries that were answered.
    queried: Vec<Scope>,
    has_lists: bool,
    /// The number of rows that queries have returned.
    returned: usize,
    /// The number of rows that queries have announced, and that were not read.
    missing: usize,
    /// Pages in a row with nothing new.
    barren: usize,
    has_read: bool,
    /// The failures of the last lists, which were not refusals.
    failures: Vec<Error>,
    /// The first refusal of a list.
    refusal: Option<Error>,
    place: String,
    selection: Selection,
}

impl Listing {
    /// Lists what is unsealed with Resource Graph, or everything in scope with the lists.
    pub fn of_unsealed(policy: &Policy, source: Source) -> Self {
        Self::new(query::of_unsealed(policy), &policy.scope, source)
    }

    /// Lists everything in scope, sealed or not.
    pub fn of_all(scope: &Scope, source: Source) -> Self {
        Self::new(query::of_all(), scope, source)
    }

    fn new(text: String, scope: &Scope, source: Source) -> Self {
        let parts = match source {
            Source::Graph => queries(&text, scope),
            Source::Lists => VecDeque::from([Part::Subscriptions { scope: scope.clone(), by_query: false }]),
        };
        Self {
            text,
            parts,
            pages: None,
            begin: None,
            subscriptions: None,
            seen: Seen::default(),
            gaps: vec![],
            queried: vec![],
            has_lists: source == Source::Lists,
            returned: 0,
            missing: 0,
            barren: 0,
            has_read: false,
            failures: vec![],
            refusal: None,
            place: String::new(),
            selection: Selection::default(),
        }
    }

    /// The same where the subscriptions in scope are known already.
    #[must_use]
    pub fn with_subscriptions(mut self, ids: Vec<String>) -> Self {
        self.subscriptions = Some(ids);
        self
    }

    /// The same without what is not selected. What is not known to be selected is unreadable, with its ID.
    #[must_use]
    pub fn narrowed(self, selection: &Selection) -> Self {
        Self { selection: selection.clone(), ..self }
    }

    /// Begins a query of more than `rows_max` rows, and the sequence of queries and lists, at a place that `seed`
    /// decides, and continues at the start after the end. So no row is always among the last.
    #[must_use]
    pub fn beginning_at(mut self, seed: u64, rows_max: usize) -> Self {
        self.begin = Some(Begin { seed, rows_max });
        rotate(&mut self.parts, seed);
        self
    }

    /// The next page; `None` after the last. Where a part cannot be read, it is a gap, and the page is empty.
    ///
    /// # Errors
    /// Azure cannot be asked, or refuses to list the subscriptions in scope.
    pub async fn next(&mut self, arm: &Client, terms: Terms) -> Result<Option<Listed>, Error> {
        loop {
            let mut pages = match self.pages.take() {
                Some(pages) => pages,
                None => match self.parts.pop_front() {
                    None => return self.end(),
                    Some(Part::Subscriptions { scope, by_query }) => {
                        self.divide(&scope, by_query, arm, terms).await?;
                        continue;
                    }
                    Some(Part::Query(pages)) => Pages::Query(pages),
                    Some(Part::List(list)) => Pages::List(list),
                },
            };
            self.place = pages.place();
            match pages.next(arm, terms).await {
                Ok(Some(_)) if self.begins_elsewhere(&pages) => {}
                Ok(Some(page)) => match self.unseen(page) {
                    Ok(page) => {
                        self.note(&pages);
                        self.pages = Some(pages);
                        return Ok(Some(page.selected(&self.selection)));
                    }
                    Err(error) => self.fail(pages, error)?,
                },
                Ok(None) => self.note_end(&pages),
                Err(error) => {
                    self.fail(pages, error)?;
                    // The next part has its own time.
                    return Ok(Some(Listed::default()));
                }
            }
        }
    }

    /// Stops before the end: what was not read counts as not read.
    pub fn stop(&mut self, why: &str) {
        let mut lists = 0;
        for part in self.parts.drain(..) {
            match part {
                Part::Query(pages) if pages.is_known() => self.missing += pages.remaining(),
                Part::Query(_) | Part::List(_) | Part::Subscriptions { .. } => lists += 1,
            }
        }
        match self.pages.take() {
            Some(Pages::Query(pages)) => self.missing += pages.remaining(),
            Some(Pages::List(list)) => self.add_gap(format!("the rest of {}", list.place()), why),
            None => {}
        }
        if lists > 0 {
            let s = if lists == 1 { "" } else { "s" };
            self.add_gap(format!("{lists} more list{s} of subscriptions"), why);
        }
    }

    /// The gap after an error.
    pub fn stop_at(&mut self, error: &Error) {
        let place = std::mem::take(&mut self.place);
        self.add_gap(place, format!("{error:#}"));
        self.stop("not read after the error before");
    }

    fn end(&mut self) -> Result<Option<Listed>, Error> {
        match self.failures.first() {
            // Nobody knows anything of the scope.
            Some(error) if !self.has_read => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// Without what earlier pages had.
    ///
    /// # Errors
    /// Too many pages in a row have had nothing new.
    fn unseen(&mut self, mut page: Listed) -> Result<Listed, Error> {
        page.resources.retain(|resource| self.seen.insert(&resource.id));
        page.unreadable.retain(|one| self.seen.insert(&(&one.what, &one.why)));
        let is_barren = page.resources.is_empty() && page.unreadable.is_empty();
        self.barren = if is_barren { self.barren + 1 } else { 0 };
        if self.barren > BARREN_MAX {
            let fault = format_args!("more than {BARREN_MAX} pages in a row hold nothing new: it has no end");
            return Err(Error::without_answer("listing", SystemFailure::Unreadable, fault));
        }
        Ok(page)
    }

    /// Whether the first page of a large result is left for the rows from the chosen place on. Those before it are read
    /// last.
    fn begins_elsewhere(&mut self, pages: &Pages) -> bool {
        let (Some(begin), Pages::Query(pages)) = (self.begin, pages) else { return false };
        if pages.total() <= begin.rows_max || pages.is_known() {
            return false;
        }
        let start = usize::try_from(begin.seed).unwrap_or_default() % pages.total();
        if start == 0 {
            return false;
        }
        let (before, after) = pages.divided_at(start);
        self.parts.push_front(Part::Query(after));
        self.parts.push_back(Part::Query(before));
        true
    }

    fn note(&mut self, pages: &Pages) {
        self.has_read = true;
        self.failures.clear();
        match pages {
            Pages::Query(pages) => {
                self.returned += pages.on_page();
                if !self.queried.contains(pages.scope()) {
                    self.queried.push(pages.scope().clone());
                }
            }
            Pages::List(_) => self.has_lists = true,
        }
    }

    fn note_end(&mut self, pages: &Pages) {
        self.barren = 0;
        if let Pages::Query(pages) = pages
            && let missing @ 1.. = pages.remaining()
        {
            self.missing += missing;
            let what = format!("{missing} of the {} rows of Resource Graph", pages.total());
            self.add_gap(what, "Resource Graph announced them but did not return them");
        }
    }

    /// Puts another way in place of pages that cannot be read, or notes them as a gap.
    ///
    /// # Errors
    /// Azure cannot be asked.
    fn fail(&mut self, pages: Pages, error: Error) -> Result<(), Error> {
        self.barren = 0;
        let is_of_part = error.is_refusal() || error.failure == Failure::System(SystemFailure::Unreadable);
        match pages {
            Pages::Query(pages) if is_of_part => {
                if let Some(smaller) = is_too_large(&error).then(|| pages.in_smaller_pages()).flatten() {
                    warn!("Resource Graph refuses a page, and smaller ones are read: {error}");
                    self.parts.push_front(Part::Query(smaller));
                } else {
                    warn!("Resource Graph cannot be read, and the lists are read instead: {error}");
                    // Lists have the rows of the same scope that were to be read later, too.
                    self.parts.retain(|part| !part.is_query_of(pages.scope()));
                    self.parts
                        .push_front(Part::Subscriptions { scope: pages.scope().clone(), by_query: true });
                }
            }
            Pages::List(list) if is_of_part => {
                self.add_gap(list.place(), format!("{error:#}"));
                self.refusal.get_or_insert(error);
            }
            Pages::List(list) if is_of_one(&error) && self.failures.len() + 1 < FAILURES_MAX => {
                self.add_gap(list.place(), format!("{error:#}"));
                self.failures.push(error);
            }
            Pages::Query(pages) => {
                // Its other rows count as not read.
                self.pages = Some(Pages::Query(pages));
                return Err(error);
            }
            Pages::List(_) => return Err(error),
        }
        Ok(())
    }

    /// Puts the lists of a scope's subscriptions in its place, or queries that name them, if a query over all was
    /// refused because there are too many.
    async fn divide(
        &mut self,
        scope: &Scope,
        by_query: bool,
        arm: &Client,
        terms: Terms,
    ) -> Result<(), Error> {
        "the list of subscriptions".clone_into(&mut self.place);
        let is_named = matches!(scope, Scope::Subscriptions(_));
        let all = match (&self.subscriptions, is_named) {
            (Some(ids), false) => Ok(Subscriptions { ids: ids.clone(), ..Subscriptions::default() }),
            _ => arm.subscriptions(scope, terms).await,
        };
        let Subscriptions { ids, unread, .. } = match all {
            Ok(all) => all,
            Err(error) if error.is_refusal() && self.has_read => {
                self.add_gap(self.place.clone(), error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for Unreadable { what, why } in unread {
            self.add_gap(what, why);
        }
        let mut parts = if by_query && !is_named && ids.len() > SUBSCRIPTIONS_MAX {
            queries(&self.text, &Scope::Subscriptions(ids))
        } else {
            self.has_lists = true;
            let kinds = [ResourceType::Disk, ResourceType::Snapshot];
            ids.iter().flat_map(|id| kinds.map(|kind| Part::list(id, kind))).collect()
        };
        if let Some(begin) = self.begin {
            rotate(&mut parts, begin.seed);
        }
        parts.append(&mut self.parts);
        self.parts = parts;
        Ok(())
    }

    fn add_gap(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.gaps.push(Gap { what: what.into(), why: why.into() });
    }

    /// The source of the last page or error.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What could not be read so far.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Whether a page was read.
    pub fn has_read(&self) -> bool {
        self.has_read
    }

    /// The first refusal, if nothing was read of the scope.
    pub fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref().filter(|_| !self.has_read)
    }

    /// Where the resources come from: Resource Graph alone, or lists as well.
    pub fn source(&self) -> Source {
        if self.has_lists { Source::Lists } else { Source::Graph }
    }

    /// The number of rows that queries have returned or announced; `None` for the lists, whose size is unknown until
    /// their end.
    pub fn announced(&self) -> Option<usize> {
        (!self.has_lists).then(|| self.returned + self.remaining())
    }

    /// The number of rows that queries have announced, and no page has returned so far.
    pub fn remaining(&self) -> usize {
        let waiting = self.parts.iter().map(|part| match part {
            Part::Query(pages) if pages.is_known() => pages.remaining(),
            Part::Query(_) | Part::List(_) | Part::Subscriptions { .. } => 0,
        });
        let current = match &self.pages {
            Some(Pages::Query(pages)) => pages.remaining(),
            Some(Pages::List(_)) | None => 0,
        };
        waiting.sum::<usize>() + current
    }

    /// The number of rows that were announced and will not be read.
    pub fn missing(&self) -> usize {
        self.missing
    }
}
