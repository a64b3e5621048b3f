//! Resource Graph: one query over all subscriptions, page by page.
//!
//! Sources: "Working with large Azure resource data sets", "Guidance for throttled requests in Azure Resource
//! Graph". Its table lags behind the resources, so a row only leads to a look at the resource.

use std::{collections::HashMap, time::Duration};

use reqwest::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Client,
    api::QUERY,
    error::{Error, SystemFailure},
    governor::Kind,
    list::{Unreadable, read_all},
    pages::Trail,
    parse, retry,
};
use crate::{
    azure::{Terms, header},
    resource::Resource,
    scope::Scope,
};

/// The maximum of rows on a page.
const PAGE_SIZE: usize = 1_000;
/// Stands for a subscription: queries count against the user, whatever subscriptions they cover.
const GATE: &str = "Microsoft.ResourceGraph";

const QUOTA_REMAINING: HeaderName = HeaderName::from_static("x-ms-user-quota-remaining");

/// A query. It must project `id` and order by it, or Resource Graph returns no further pages. Rows to be read as
/// resources need `tags` and `properties` as well.
#[derive(Clone, Debug)]
pub struct Query {
    /// The query, in the Kusto query language.
    pub text: String,
    /// The subscriptions to search.
    pub scope: Scope,
    /// How many rows to skip at the start.
    pub skip: usize,
    /// The maximum of rows on a page, from 1 to 1,000.
    pub top: usize,
}

impl Query {
    /// A query for all rows, in pages of the largest size.
    pub fn new(text: String, scope: Scope) -> Self {
        Self { text, scope, skip: 0, top: PAGE_SIZE }
    }
}

/// One page of rows.
#[derive(Debug)]
pub struct Rows {
    /// The rows, in JSON.
    pub rows: Vec<Box<RawValue>>,
    /// How many rows all pages have.
    pub total: usize,
    next: Option<Result<String, Error>>,
    trail: Trail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryAnswer {
    #[serde(default)]
    total_records: Value,
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(rename = "$skipToken", default)]
    skip_token: Value,
}

impl Client {
    /// The first page of a query, or the page after `previous`; none after the last.
    ///
    /// # Errors
    /// The page cannot be read, or its token leads back to one before it.
    pub async fn query(
        &self,
        query: &Query,
        previous: Option<&Rows>,
        terms: Terms,
    ) -> Result<Option<Rows>, Error> {
        let mut options = json!({"resultFormat": "objectArray", "$top": query.top});
        let mut trail = previous.map(|rows| rows.trail.clone()).unwrap_or_default();
        match previous.map(|rows| &rows.next) {
            None => options["$skip"] = json!(query.skip),
            Some(None) => return Ok(None),
            Some(Some(token)) => {
                let token = token.as_ref().map_err(Clone::clone)?;
                trail.step(&QUERY, token)?;
                options["$skipToken"] = json!(token);
            }
        }
        let mut body = json!({"query": query.text, "options": options});
        match &query.scope {
            Scope::Visible => {}
            Scope::Subscriptions(ids) => body["subscriptions"] = json!(ids),
            // Resource Graph refuses a group with more subscriptions than one query may cover.
            Scope::ManagementGroup(id) => body["managementGroups"] = json!([id]),
        }
        let url = self.url(QUERY.template, &QUERY);
        let answer = self.send(&QUERY, &url, GATE, Some(body.to_string().into()), terms).await?;
        if let Some(wait) = quota_spent(&answer.headers) {
            self.pipeline.governor.close(GATE, Kind::Query, wait);
        }
        let body: QueryAnswer = parse(&QUERY, &answer.body)?;
        let next = match body.skip_token {
            Value::Null => None,
            Value::String(token) if token.is_empty() => None,
            Value::String(token) => Some(Ok(token)),
            _ => {
                let fault = "the token of the next page is not a text";
                Some(Err(Error::without_answer(QUERY.what, SystemFailure::Unreadable, fault)))
            }
        };
        // Without a readable number, what is there is all that is known.
        let total = body.total_records.as_u64().and_then(|total| usize::try_from(total).ok());
        let total = total.unwrap_or(query.skip + body.data.len());
        Ok(Some(Rows { rows: body.data, total, next, trail }))
    }
}

impl Client {
    /// The number that a query of one row with one column returns, such as `summarize count()`.
    ///
    /// # Errors
    /// The query was not answered, or not with a number.
    pub async fn count(&self, query: &Query, terms: Terms) -> Result<usize, Error> {
        let rows = self.query(query, None, terms).await?;
        let row = rows.as_ref().and_then(|rows| rows.rows.first()).map_or("", |row| row.get());
        let counted: HashMap<String, usize> = serde_json::from_str(row).unwrap_or_default();
        let fault = "the count is not a number";
        counted
            .into_values()
            .next()
            .ok_or_else(|| Error::without_answer(QUERY.what, SystemFailure::Unreadable, fault))
    }
}

impl Rows {
    /// Takes the rows as resources, and lists those that could not be read.
    pub fn take_resources(&mut self) -> (Vec<Resource>, Vec<Unreadable>) {
        read_all(&std::mem::take(&mut self.rows))
    }
}

/// The time until the quota is renewed, if this query used up the rest. Waiting costs less than a 429.
fn quota_spent(headers: &HeaderMap) -> Option<Duration> {
    if header(headers, &QUOTA_REMAINING)?.trim() != "0" {
        return None;
    }
    retry::quota_resets_after(headers)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_quota_is_spent_when_none_remains() {
        let spent = |remaining: &'static str, resets: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(QUOTA_REMAINING, HeaderValue::from_static(remaining));
            headers.insert("x-ms-user-quota-resets-after", HeaderValue::from_static(resets));
            quota_spent(&headers)
        };
        assert_eq!(spent("0", "00:00:05"), Some(Duration::from_secs(5)));
        assert_eq!(spent("0", "01:02:03"), Some(Duration::from_secs(3_723)));
        assert_eq!(spent("1", "00:00:05"), None);
        for nonsense in ["", "soon", "5", "00:00", "00:00:-5", "18446744073709551615:0:0"] {
            assert_eq!(spent("0", nonsense), None, "{nonsense}");
        }
        assert_eq!(quota_spent(&HeaderMap::new()), None);
    }
}
