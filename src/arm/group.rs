//! A resource group with a disk and a snapshot, made and deleted; and the rows of a Log Analytics workspace. The handler
//! calls nothing of it: `diskseal doctor --try` does, with the rights of the person who runs it.
//!
//! Sources: "Resource Groups - Create Or Update", "Resource Groups - Delete", "Disks - Create Or Update", "Snapshots -
//! Create Or Update", "Azure Monitor Log Analytics API request format" and "… response format".

use serde_json::{Map, Value, json};

use super::{
    Client,
    api::{self, Api},
    error::{Error, Failure, SystemFailure},
    parse,
};
use crate::{
    azure::Terms,
    resource_id::{ResourceId, ResourceType},
};

impl Client {
    /// Whether a resource group exists. `group` is its ID.
    pub async fn has_group(&self, group: &str, terms: Terms) -> Result<bool, Error> {
        match self.inspect(&api::GROUP, group, terms).await {
            Ok(_) => Ok(true),
            Err(error) if error.failure == Failure::Gone => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a resource group with these tags, which are a JSON object.
    ///
    /// # Errors
    /// One that is [without an answer](Error::is_without_answer) may have been applied; it is sent once.
    pub async fn create_group(
        &self,
        group: &str,
        location: &str,
        tags: &Value,
        terms: Terms,
    ) -> Result<(), Error> {
        let body = json!({"location": location, "tags": tags});
        self.put(&api::GROUP_CREATE, group, &body, terms).await
    }

    /// Begins to delete a resource group with all that is in it. That goes on for minutes after the answer.
    ///
    /// # Errors
    /// `Gone` if it does not exist.
    pub async fn delete_group(&self, group: &str, terms: Terms) -> Result<(), Error> {
        let url = self.url(group, &api::GROUP_DELETE);
        self.send(&api::GROUP_DELETE, &url, super::subscription_of(group), None, terms).await.map(drop)
    }

    /// Begins to create an empty disk of `gigabytes` on standard hard disks.
    ///
    /// # Errors
    /// Those of [`Self::create_group`].
    pub async fn create_disk(
        &self,
        id: &ResourceId,
        location: &str,
        gigabytes: u32,
        terms: Terms,
    ) -> Result<(), Error> {
        let body = json!({
            "location": location, "sku": {"name": "Standard_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": gigabytes},
        });
        self.put(create_of(id), &id.to_string(), &body, terms).await
    }

    /// Begins to create an incremental snapshot of a disk.
    ///
    /// # Errors
    /// Those of [`Self::create_group`].
    pub async fn create_snapshot(
        &self,
        id: &ResourceId,
        location: &str,
        disk: &ResourceId,
        terms: Terms,
    ) -> Result<(), Error> {
        let body = json!({
            "location": location, "sku": {"name": "Standard_LRS"},
            "properties": {
                "creationData": {"createOption": "Copy", "sourceResourceId": disk.to_string()}, "incremental": true,
            },
        });
        self.put(create_of(id), &id.to_string(), &body, terms).await
    }

    /// The rows of a query of a workspace over the last hour, by column. `workspace` is its ID.
    ///
    /// # Errors
    /// A table that does not exist yet is a 400 too.
    pub async fn logs(
        &self,
        workspace: &str,
        query: &str,
        terms: Terms,
    ) -> Result<Vec<Map<String, Value>>, Error> {
        let body = json!({"query": query, "timespan": "PT1H"});
        let url = self.url(&format!("{workspace}/query"), &api::LOGS);
        let subscription = super::subscription_of(workspace);
        let answer = self.send(&api::LOGS, &url, subscription, Some(body.to_string().into()), terms).await?;
        let answer: Value = parse(&api::LOGS, &answer.body)?;
        rows(&answer).ok_or_else(|| {
            Error::without_answer(api::LOGS.what, SystemFailure::Unreadable, "the answer holds no table")
        })
    }

    async fn put(&self, api: &'static Api, path: &str, body: &Value, terms: Terms) -> Result<(), Error> {
        let url = self.url(path, api);
        let body = Some(body.to_string().into());
        self.send(api, &url, super::subscription_of(path), body, terms).await.map(drop)
    }
}

fn create_of(id: &ResourceId) -> &'static Api {
    match id.resource_type() {
        ResourceType::Disk => &api::DISK_CREATE,
        ResourceType::Snapshot => &api::SNAPSHOT_CREATE,
    }
}

/// The rows of the first table, by column. Values of the type `dynamic` come as text with JSON in it.
fn rows(answer: &Value) -> Option<Vec<Map<String, Value>>> {
    let table = answer["tables"].get(0)?;
    let columns: Vec<(&str, bool)> = table["columns"]
        .as_array()?
        .iter()
        .map(|column| Some((column["name"].as_str()?, column["type"] == "dynamic")))
        .collect::<Option<_>>()?;
    let row = |row: &Value| -> Option<Map<String, Value>> {
        let cells = row.as_array()?.iter().zip(&columns);
        Some(cells.map(|(cell, (name, is_dynamic))| ((*name).to_owned(), value(cell, *is_dynamic))).collect())
    };
    table["rows"].as_array()?.iter().map(row).collect()
}

fn value(cell: &Value, is_dynamic: bool) -> Value {
    let json = cell.as_str().filter(|_| is_dynamic).and_then(|text| serde_json::from_str(text).ok());
    json.unwrap_or_else(|| cell.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_column_and_dynamic_values_as_json() {
        let answer = json!({"tables": [{"name": "PrimaryResult",
            "columns": [{"name": "Name", "type": "string"}, {"name": "Attributes", "type": "dynamic"}],
            "rows": [["{}", "{\"a\":1}"], ["b", null]]}]});
        let rows = rows(&answer).unwrap();
        assert_eq!(rows[0]["Attributes"], json!({"a": 1}));
        assert_eq!(rows[0]["Name"], json!("{}"), "only what is dynamic is JSON");
        assert_eq!(rows[1]["Attributes"], Value::Null);
        for wrong in [json!({}), json!({"tables": []}), json!({"tables": [{"columns": [], "rows": 1}]})] {
            assert_eq!(super::rows(&wrong), None, "{wrong}");
        }
    }
}
