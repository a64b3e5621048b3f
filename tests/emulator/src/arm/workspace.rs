//! A Log Analytics workspace, as far as it is queried, and the Application Insights component that stores in it.
//!
//! Sources: "Azure Monitor Log Analytics API request format" (the query through Resource Manager: a POST with `query`
//! and `timespan`), "Azure Monitor Log Analytics API response format" (`tables`, `columns`, `rows`), "Azure Monitor Log
//! Analytics API errors" (400 `BadArgumentError` with the inner code `SemanticError` for a table that is not there);
//! "Components - List" (`AppId`, `WorkspaceResourceId`). A value of the type `dynamic` is text with JSON in it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    graph::{Query, Row},
    refusal::Refusal,
};

/// The rows of a table; none if there is no such table.
type Tables = dyn Fn(&str) -> Option<Vec<Row>> + Send + Sync;

/// A workspace.
#[derive(Clone)]
pub(crate) struct Workspace {
    id: String,
    /// The component's application ID, which its connection string names.
    application_id: String,
    tables: Arc<Tables>,
}

impl fmt::Debug for Workspace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Workspace").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Creates or replaces the workspace, with these tables and a component of this application ID.
    pub fn put_workspace(
        &self,
        id: &str,
        application_id: &str,
        tables: impl Fn(&str) -> Option<Vec<Map<String, Value>>> + Send + Sync + 'static,
    ) {
        let (id, application_id) = (id.to_owned(), application_id.to_owned());
        let made = Workspace { id, application_id, tables: Arc::new(tables) };
        self.inner.state.lock().workspace = Some(made);
    }

    pub(super) fn query_logs(&self, context: &Context, id: &str) -> Result<Answer, Refusal> {
        let body = context.body()?;
        let workspace = self.inner.state.lock().workspace.clone();
        let workspace = workspace
            .filter(|workspace| workspace.id.eq_ignore_ascii_case(id))
            .ok_or_else(|| Refusal::new(404, "ResourceNotFound", "The workspace was not found."))?;
        let query = body["query"].as_str().unwrap_or_default();
        let query = Query::parse(query).map_err(|why| bad_argument("SyntaxError", &why))?;
        let rows = (workspace.tables)(&query.table).ok_or_else(|| {
            let why = format!("'where' operator: Failed to resolve table expression named '{}'", query.table);
            bad_argument("SemanticError", &why)
        })?;
        let (_, rows) = query.page(rows, 0, usize::MAX);
        Ok(Answer::json(StatusCode::OK, &json!({"tables": [table(&rows)]})))
    }

    pub(super) fn list_components(&self, subscription: &str) -> Answer {
        let workspace = self.inner.state.lock().workspace.clone();
        let is_here = |one: &Workspace| {
            one.id.split('/').nth(2).is_some_and(|id| id.eq_ignore_ascii_case(subscription))
        };
        let one = workspace.filter(is_here).map(|workspace| {
            let group = workspace.id.split("/providers/").next().unwrap_or_default();
            json!({
                "id": format!("{group}/providers/Microsoft.Insights/components/appi-seal"), "name": "appi-seal",
                "type": "microsoft.insights/components", "location": self.regions(), "kind": "web",
                "properties": {"AppId": workspace.application_id, "WorkspaceResourceId": workspace.id,
                    "IngestionMode": "LogAnalytics"}
            })
        });
        Answer::json(StatusCode::OK, &json!({"value": one.into_iter().collect::<Vec<_>>()}))
    }
}

fn table(rows: &[Row]) -> Value {
    let names: BTreeSet<&String> = rows.iter().flat_map(Map::keys).collect();
    let column = |name: &&String| {
        let kind = rows.iter().map(|row| kind(&row[*name])).find(|kind| *kind != "string");
        json!({"name": name, "type": kind.unwrap_or("string")})
    };
    let cell = |value: &Value| match value {
        Value::Object(_) | Value::Array(_) => Value::from(value.to_string()),
        plain => plain.clone(),
    };
    let row = |row: &Row| names.iter().map(|name| cell(&row[*name])).collect::<Value>();
    json!({
        "name": "PrimaryResult", "columns": names.iter().map(column).collect::<Vec<_>>(),
        "rows": rows.iter().map(row).collect::<Vec<_>>()
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) | Value::Array(_) => "dynamic",
        Value::Bool(_) => "bool",
        Value::Number(_) => "real",
        Value::String(_) | Value::Null => "string",
    }
}

fn bad_argument(inner: &str, why: &str) -> Refusal {
    let error = json!({
        "code": "BadArgumentError", "message": "The request had some invalid properties",
        "innererror": {"code": inner, "message": why}
    });
    Refusal::from_body(400, json!({"error": error}))
}
