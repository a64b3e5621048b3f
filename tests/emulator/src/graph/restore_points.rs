//! Restore points of machines, in Resource Graph's table `resources` ("Azure Resource Graph table and resource type
//! reference"; the shape of "Restore Point Collections - Get").

use serde_json::{Value, json};

use super::GraphTable;
use crate::Emulator;

impl Emulator {
    /// Adds a collection with restore points of these names.
    pub fn add_restore_points(&self, collection: &str, names: &[&str]) {
        let row = |id: &str, kind: &str, properties: Value| {
            let columns = [("id", json!(id)), ("type", json!(kind)), ("properties", properties)];
            columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let kind = "microsoft.compute/restorepointcollections";
        let properties = json!({"provisioningState": "Succeeded"});
        self.add_row(GraphTable::Resources, row(collection, kind, properties.clone()));
        for name in names {
            let id = format!("{collection}/restorePoints/{name}");
            self.add_row(
                GraphTable::Resources,
                row(&id, &format!("{kind}/restorepoints"), properties.clone()),
            );
        }
    }
}
