//! Counts the restore points of machines, by Resource Graph. Nothing is read from them.

use serde_json::{Value, value::RawValue};

use crate::{
    arm::{Client, Error, Query},
    azure::Terms,
    report::RestorePoints,
    scope::Scope,
};

/// The query for both types ("Azure Resource Graph table and resource type reference", `resources`).
const TEXT: &str = "resources | where type in~ ('microsoft.compute/restorepointcollections', \
    'microsoft.compute/restorepointcollections/restorepoints') | project id | order by id asc";

/// Counts them in the scope.
///
/// # Errors
/// Resource Graph does not answer, or not with what it has announced.
pub async fn restore_points(arm: &Client, scope: &Scope, terms: Terms) -> Result<RestorePoints, Error> {
    let query = Query::new(TEXT.to_owned(), scope.clone());
    let (mut collections, mut points, mut announced, mut page) = (0, 0, 0, None);
    loop {
        page = arm.query(&query, page.as_ref(), terms).await?;
        let Some(page) = &mut page else { break };
        announced = page.total;
        for row in std::mem::take(&mut page.rows) {
            if is_point(&row) {
                points += 1;
            } else {
                collections += 1;
            }
        }
    }
    let read = collections + points;
    if read < announced {
        return Ok(RestorePoints::Unread(format!("Resource Graph returned {read} of {announced} rows")));
    }
    Ok(RestorePoints::Counted { collections, points })
}

fn is_point(row: &RawValue) -> bool {
    let row: Value = serde_json::from_str(row.get()).unwrap_or_default();
    row["id"].as_str().is_some_and(|id| id.to_ascii_lowercase().contains("/restorepoints/"))
}
