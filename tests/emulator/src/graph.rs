//! Resource Graph: queries over the current or a past state.
//!
//! It supports the part of the query language that inventories of disks need; anything else is refused as an
//! invalid query.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    time::Duration,
};

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Emulator,
    answer::Answer,
    arm::Site,
    clock::{timestamp, whole_seconds},
    context::Context,
    refusal::Refusal,
    state::Stored,
};

mod expression;
mod generated;
mod lexer;
mod protection;
mod query;
mod restore_points;

use expression::Columns;
pub(crate) use expression::Row;
pub use protection::{GraphTable, Protection};
pub(crate) use query::Query;

/// The number of queries that a user can send in one window.
const QUOTA: u32 = 15;
const WINDOW: Duration = Duration::from_secs(5);

/// The number of queries of each user in the current window.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    users: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Quota {
    /// The number of remaining queries, and when the window ends; none if the quota is used up.
    fn take(&self, object_id: &str) -> (Option<u32>, Duration) {
        let now = Instant::now();
        let mut users = self.users.lock();
        let (opened, used) = users.entry(object_id.to_ascii_lowercase()).or_insert((now, 0));
        if now.duration_since(*opened) >= WINDOW {
            (*opened, *used) = (now, 0);
        }
        let ends = WINDOW.saturating_sub(now.duration_since(*opened));
        if *used >= QUOTA {
            return (None, ends);
        }
        *used += 1;
        (Some(QUOTA - *used), ends)
    }
}

impl Emulator {
    pub(crate) fn query(&self, context: &Context) -> Result<Answer, Refusal> {
        let (left, ends) = match self.inner.options.throttling {
            Some(_) => self.inner.graph_quota.take(&context.caller.object_id),
            None => (Some(QUOTA - 1), WINDOW),
        };
        let seconds = whole_seconds(ends);
        let Some(left) = left else { return Err(self.too_many_queries(context, seconds)) };
        let body = context.body()?;
        let text = body["query"].as_str().ok_or_else(|| invalid_query("the member 'query' is missing"))?;
        let parsed = Query::parse(text).map_err(|why| invalid_query(&why))?;
        let window = Window::of(&body["options"], self.inner.options.resource_graph_page_size)?;
        let (total, rows) = match parsed.table.to_ascii_lowercase().as_str() {
            "resources" if self.inner.options.resource_graph_generated > 0 => {
                let rows = self.inner.options.resource_graph_generated;
                generated::page(&parsed, rows, window.start, window.most)
            }
            "resources" => self.resources_page(&parsed, self.scope(&body)?.as_ref(), &window),
            "recoveryservicesresources" => {
                let rows = self.inner.state.lock().protected.clone();
                parsed.page(rows, window.start, window.most)
            }
            table => return Err(invalid_query(&format!("the table '{table}' is not known here"))),
        };
        if rows.len() > self.inner.options.resource_graph_payload_rows {
            return Err(Refusal::response_payload_too_large());
        }
        let answer = Answer::json(StatusCode::OK, &page(total, rows, &window));
        Ok(answer
            .with("x-ms-user-quota-remaining", &left.to_string())
            .with("x-ms-user-quota-resets-after", &format!("00:00:{seconds:02}"))
            .with("x-ms-resource-graph-request-duration", "0:00:00:00.0501244"))
    }

    fn too_many_queries(&self, context: &Context, seconds: u64) -> Refusal {
        let (now, correlation) = (timestamp(self.inner.clock.now()), &context.correlation_id);
        let message = format!(
            "Please provide below info when asking for support: timestamp = {now}, correlationId = {correlation}."
        );
        let detail = "Client application has been throttled and should not attempt to repeat the request until an \
                      amount of time has elapsed.";
        let details = json!([{"code": "RateLimiting", "message": detail}]);
        let error = json!({"code": "RateLimiting", "message": message, "details": details});
        Refusal::from_body(429, json!({"error": error}))
            .with_header("retry-after", seconds.to_string())
            .with_header("x-ms-user-quota-remaining", "0")
            .with_header("x-ms-user-quota-resets-after", format!("00:00:{seconds:02}"))
    }

    /// The subscriptions of a query; none means all that the caller can see.
    fn scope(&self, body: &Value) -> Result<Option<HashSet<String>>, Refusal> {
        let named = |member: &str| {
            let names = body[member].as_array().filter(|names| !names.is_empty())?;
            Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>())
        };
        let groups = match (named("subscriptions"), named("managementGroups")) {
            (None, None) => return Ok(None),
            (Some(ids), None) if ids.len() > SUBSCRIPTIONS_MAX => return Err(too_many_subscriptions()),
            (Some(ids), None) => return Ok(Some(ids.into_iter().map(str::to_ascii_lowercase).collect())),
            (None, Some(groups)) => groups,
            (Some(_), Some(_)) => {
                return Err(invalid_query("'subscriptions' and 'managementGroups' exclude each other"));
            }
        };
        let mut found = HashSet::new();
        for group in groups {
            found.extend(self.subscriptions_below(group).unwrap_or_default());
        }
        if found.is_empty() {
            return Err(no_valid_subscription());
        }
        Ok(Some(found))
    }

    /// The table `resources` of these subscriptions, by their ids in lower case, or of all.
    fn resources_page(
        &self,
        query: &Query,
        scope: Option<&HashSet<String>>,
        window: &Window,
    ) -> (usize, Vec<Row>) {
        let (tenant, lag) = (self.inner.options.tenant_id.as_str(), self.inner.options.resource_graph_lag);
        let state = self.inner.state.lock();
        let in_scope = |stored: &&Stored| {
            scope.is_none_or(|ids| ids.contains(&stored.id.subscription.to_ascii_lowercase()))
        };
        let stored = state.resources.values().filter(in_scope);
        let disks = stored.filter_map(|stored| Indexed::of(stored, tenant, lag)).map(Entry::Disk);
        let is_site_in_scope = |site: &&Site| scope.is_none_or(|ids| ids.contains(&site.subscription()));
        let sites = state.sites.values().filter(is_site_in_scope).map(|site| Entry::Other(site.row()));
        let is_in_scope = |row: &&Row| {
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            scope.is_none_or(|ids| ids.iter().any(|own| id.split('/').nth(2) == Some(own)))
        };
        let clusters = state.clusters.iter().filter(is_in_scope).cloned().map(Entry::Other);
        query.page(disks.chain(sites).chain(clusters).collect(), window.start, window.most)
    }
}

/// A row of the table `resources`.
enum Entry<'a> {
    Disk(Indexed<'a>),
    /// A function app or a cluster.
    Other(Row),
}

impl Columns for Entry<'_> {
    fn column(&self, name: &str) -> Cow<'_, Value> {
        match self {
            Self::Disk(disk) => disk.column(name),
            Self::Other(row) => row.column(name),
        }
    }

    fn row(&self) -> Row {
        match self {
            Self::Disk(disk) => disk.row(),
            Self::Other(row) => row.row(),
        }
    }
}

/// A resource as the index stores it.
struct Indexed<'a> {
    stored: &'a Stored,
    body: &'a Value,
    tenant: &'a str,
}

/// The columns of the table `resources`.
const COLUMNS: [&str; 16] = [
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "managedBy",
    "sku",
    "plan",
    "properties",
    "tags",
    "identity",
    "zones",
    "extendedLocation",
];

impl<'a> Indexed<'a> {
    /// Absent if it was just created, unchanged if it was just changed.
    fn of(stored: &'a Stored, tenant: &'a str, lag: Duration) -> Option<Self> {
        let fresh = stored.written.is_some_and(|written| written.elapsed() < lag);
        let body = if fresh { stored.previous.as_ref()? } else { &stored.body };
        Some(Self { stored, body, tenant })
    }
}

impl Columns for Indexed<'_> {
    fn column(&self, name: &str) -> Cow<'_, Value> {
        let id = &self.stored.id;
        match name {
            "id" | "name" | "location" | "sku" | "properties" | "tags" | "zones" | "extendedLocation" => {
                Cow::Borrowed(&self.body[name])
            }
            "type" => Cow::Owned(json!(id.kind.type_name().to_ascii_lowercase())),
            "tenantId" => Cow::Owned(json!(self.tenant)),
            "kind" => Cow::Owned(json!("")),
            "resourceGroup" => Cow::Owned(json!(id.group.to_ascii_lowercase())),
            "subscriptionId" => Cow::Owned(json!(id.subscription)),
            "managedBy" if self.body["managedBy"].is_null() => Cow::Owned(json!("")),
            "managedBy" => Cow::Borrowed(&self.body["managedBy"]),
            _ => Cow::Borrowed(&Value::Null),
        }
    }

    fn row(&self) -> Row {
        COLUMNS.iter().map(|name| ((*name).to_owned(), self.column(name).into_owned())).collect()
    }
}

/// The rows of the requested page.
struct Window {
    start: usize,
    most: usize,
}

impl Window {
    fn of(options: &Value, at_most: usize) -> Result<Self, Refusal> {
        let number = |value: &Value| value.as_u64().and_then(|value| usize::try_from(value).ok());
        let most = number(&options["$top"]).unwrap_or(100);
        if !(1..=1000).contains(&most) {
            return Err(invalid_query("'$top' must be from 1 to 1000"));
        }
        let start = match options["$skipToken"].as_str() {
            Some(token) => {
                read_token(token).ok_or_else(|| invalid_query("the skip token is not one of ours"))?
            }
            None => number(&options["$skip"]).unwrap_or(0),
        };
        if options["resultFormat"].as_str().is_some_and(|format| format != "objectArray") {
            return Err(invalid_query("only the result format 'objectArray' is known here"));
        }
        Ok(Self { start, most: most.min(at_most) })
    }
}

/// Only rows with ids can be paged.
fn page(total: usize, rows: Vec<Row>, window: &Window) -> Value {
    let Window { start, most } = *window;
    let pageable = rows.first().is_some_and(|row| row.contains_key("id"));
    let end = start + rows.len();
    let truncated = end < total && !pageable;
    let mut page = json!({
        "totalRecords": total,
        "count": rows.len(),
        "resultTruncated": if truncated { "true" } else { "false" },
    });
    if end < total && pageable {
        page["$skipToken"] = json!(token_of(&json!({"$id": "1", "MaxRows": most, "RowsToSkip": end})));
    }
    page["data"] = rows.into_iter().map(Value::Object).collect();
    page["facets"] = json!([]);
    page
}

/// A token for the rows from `start` on. Two tokens with different counts lead to the same rows.
pub(crate) fn token(start: usize, count: Option<u32>) -> String {
    token_of(&json!({"$id": count.unwrap_or(1).to_string(), "RowsToSkip": start}))
}

fn token_of(content: &Value) -> String {
    STANDARD.encode(content.to_string())
}

fn read_token(token: &str) -> Option<usize> {
    let token: Value = serde_json::from_slice(&STANDARD.decode(token).ok()?).ok()?;
    usize::try_from(token["RowsToSkip"].as_u64()?).ok()
}

/// "Troubleshoot errors using Azure Resource Graph", too many subscriptions: a query names at most so many. The limit of
/// a management group or a tenant is 18,000 (Azure/cosmos-explorer #1986), which no test reaches.
const SUBSCRIPTIONS_MAX: usize = 1_000;

/// The response to a query that names more subscriptions, in the form of Azure/cosmos-explorer #1986.
fn too_many_subscriptions() -> Refusal {
    let message = format!(
        "The number of subscriptions in the request has exceeded the allowed limit {SUBSCRIPTIONS_MAX}."
    );
    let details = json!([{"code": "TooManySubscriptions", "message": message}]);
    let outer = "Please provide below info when asking for support: timestamp = t, correlationId = c.";
    let error = json!({"code": "BadRequest", "message": outer, "details": details});
    Refusal::from_body(400, json!({"error": error}))
}

/// The response if the caller may not read any of the named scopes.
fn no_valid_subscription() -> Refusal {
    let message = "There must be at least one subscription that is eligible to contain resources.";
    let details = json!([{"code": "NoValidSubscriptionsInQueryRequest", "message": message}]);
    let error = json!({"code": "BadRequest", "message": "Please provide below info when asking for support.", "details": details});
    Refusal::from_body(400, json!({"error": error}))
}

fn invalid_query(why: &str) -> Refusal {
    let details = json!([{"code": "InvalidQuery", "message": format!("Query is invalid: {why}.")}]);
    let error = json!({"code": "BadRequest", "message": "Please check the query.", "details": details});
    Refusal::from_body(400, json!({"error": error}))
}
