//! Rows that exist in Resource Graph alone, for listings of more resources than memory holds.

use serde_json::json;

use super::{expression::Row, query::Query};
use crate::estate::disk_id;

/// How many rows have one subscription.
const OF_ONE_SUBSCRIPTION: usize = 20_000;

/// One row of so many is unsealed.
const UNSEALED: usize = 1_000;

/// A page of `rows` generated disks, whatever the query's conditions are, and the number of rows.
/// They are in the order of their ids.
pub(super) fn page(query: &Query, rows: usize, start: usize, most: usize) -> (usize, Vec<Row>) {
    match query.counted(rows) {
        Some(row) => (1, vec![row]),
        None => (rows, (start..rows.min(start + most)).map(row).collect()),
    }
}

fn row(number: usize) -> Row {
    let subscription = format!("{:08x}-0000-4000-8000-000000000000", number / OF_ONE_SUBSCRIPTION);
    let is_sealed = !number.is_multiple_of(UNSEALED);
    let mut properties = json!({
        "creationData": {"createOption": "Empty"},
        "diskSizeGB": 200,
        "diskState": "Unattached",
        "networkAccessPolicy": "AllowAll",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
        "timeCreated": "2026-01-01T00:00:00.1234567+00:00",
        "uniqueId": format!("{number:08x}-1111-4222-8333-444444444444"),
    });
    let mut tags = json!({"team": format!("team-{}", number % 30)});
    if is_sealed {
        properties["dataAccessAuthMode"] = json!("AzureActiveDirectory");
        tags["diskseal-auth-mode"] = json!("AzureActiveDirectory");
        tags["diskseal-sealed-at"] = json!("2026-01-01T00:00:00Z");
    }
    let row = [
        ("id", json!(disk_id(&subscription, "rg", &format!("disk-{number:09}")))),
        ("location", json!("westeurope")),
        ("managedBy", json!("")),
        ("tags", tags),
        ("properties", properties),
    ];
    row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
