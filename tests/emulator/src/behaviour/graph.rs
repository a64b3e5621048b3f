//! Resource Graph, as an inventory queries it.

use std::time::Duration;

use azure_core::http::Method;
use serde_json::{Value, json};
use tokio::time::advance;

use super::{Client, Reply, SUBSCRIPTION, mode};
use crate::{
    GraphTable, Member, Protection,
    options::{Options, Throttling},
};

const QUERY: &str = "resources\n| where type in~ ('microsoft.compute/disks','microsoft.compute/snapshots')\n\
                     | where tostring(properties.dataAccessAuthMode) !~ 'AzureActiveDirectory'\n\
                     | project id, name, type, tags, managedBy, diskState = tostring(properties.diskState)\n\
                     | order by id asc";

async fn ask(client: &Client, options: &Value) -> Reply {
    let body = json!({"subscriptions": [SUBSCRIPTION], "query": QUERY, "options": options});
    let target = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
    client.send(Method::Post, target, Some(&body)).await
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sealed_is_found_page_by_page() {
    let client = Client::immediate();
    for n in 0..5 {
        client.seed(&format!("disk-{n}"));
    }
    client.patch(&client.seed("sealed"), &mode()).await;
    let mut options = json!({"resultFormat": "objectArray", "$top": 2});
    let mut found = Vec::new();
    loop {
        let reply = ask(&client, &options).await;
        let page = reply.json();
        assert_eq!((reply.status, &page["totalRecords"]), (200, &json!(5)));
        assert_eq!(page["resultTruncated"], "false", "a string");
        assert_eq!(page["data"][0]["managedBy"], "");
        assert_eq!(page["data"][0]["type"], "microsoft.compute/disks");
        assert!(reply.header("x-ms-user-quota-remaining").is_some());
        found.extend(names(&page).into_iter().map(str::to_owned));
        let Some(token) = page["$skipToken"].as_str() else { break };
        options["$skipToken"] = json!(token);
    }
    assert_eq!(found, ["disk-0", "disk-1", "disk-2", "disk-3", "disk-4"]);
}

#[tokio::test(start_paused = true)]
async fn the_index_lags_behind() {
    let lag = Duration::from_mins(1);
    let client = Client::new(Options { resource_graph_lag: lag, ..Options::immediate() });
    let old = client.seed("old");
    client.patch(&old, &mode()).await;
    let new = old.replace("disks/old", "disks/new");
    client.emulator.put(&new, &super::user(), &crate::disk_body("westeurope")).unwrap();
    assert_eq!(names(&ask(&client, &json!({})).await.json()), ["old"], "neither is known yet");
    advance(lag).await;
    assert_eq!(names(&ask(&client, &json!({})).await.json()), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn what_vaults_protect_and_the_clusters_have_rows() {
    let client = Client::immediate();
    let id = |kind: &str| format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/{kind}/x");
    let (disk, cluster) = (client.seed("d"), id("Microsoft.ContainerService/managedClusters"));
    let vault = id("Microsoft.DataProtection/backupVaults");
    let snapshots = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-snapshots");
    client.emulator.protect(&disk, &vault, Protection::DiskBackup);
    client.emulator.protect_cluster(&cluster, &vault, &snapshots);
    client.emulator.add_cluster(&cluster, "MC_x");
    let odd = json!({"id": 7, "type": "microsoft.dataprotection/backupvaults/backupinstances"});
    client.emulator.add_row(GraphTable::RecoveryServices, odd.as_object().unwrap().clone());
    let rows = async |query: &str| {
        let target = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
        let reply = client.send(Method::Post, target, Some(&json!({"query": query}))).await;
        reply.json()["data"].clone()
    };
    let instances = "recoveryservicesresources | where type =~ 'Microsoft.DataProtection/backupVaults/backupInstances' \
                     | project id, source = properties.dataSourceInfo.resourceID, \
                     stores = properties.policyInfo.policyParameters.dataStoreParametersList";
    let found = rows(instances).await;
    assert_eq!((&found[0]["source"], &found[1]["source"]), (&json!(disk), &json!(cluster)));
    assert_eq!(found[1]["stores"][0]["resourceGroupId"], snapshots);
    assert_eq!(found[2], json!({"id": 7, "source": null, "stores": null}), "of whatever shape");
    let clusters = "resources | where type =~ 'microsoft.containerservice/managedclusters' \
                    | project id, group = properties.nodeResourceGroup";
    assert_eq!(rows(clusters).await, json!([{"id": cluster, "group": "MC_x"}]));
    assert_eq!(names(&ask(&client, &json!({})).await.json()), ["d"], "disks are as they were");
}

#[tokio::test(start_paused = true)]
async fn queries_are_limited_and_looked_at() {
    let client = Client::new(Options { throttling: Some(Throttling::default()), ..Options::immediate() });
    for left in (0..15).rev() {
        let reply = ask(&client, &json!({})).await;
        assert_eq!(reply.header("x-ms-user-quota-remaining"), Some(left.to_string().as_str()));
    }
    let reply = ask(&client, &json!({})).await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "RateLimiting"));
    assert_eq!(reply.header("x-ms-user-quota-resets-after"), Some("00:00:05"));
    advance(Duration::from_secs(5)).await;
    assert_eq!(ask(&client, &json!({"$top": 1001})).await.code(), "BadRequest");
    assert_eq!(ask(&client, &json!({"$skipToken": "x"})).await.status, 400);
    assert_eq!(ask(&client, &json!({})).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_management_group_is_what_is_below_it_at_any_depth() {
    let other = SUBSCRIPTION.replacen('1', "2", 1);
    let client = Client::new(Options { page_size: 1, ..Options::immediate() });
    client.seed("here");
    let elsewhere = client.seed("x").replace(SUBSCRIPTION, &other).replace("disks/x", "disks/there");
    client.emulator.insert(&elsewhere, &crate::disk_body("westeurope")).unwrap();
    client.emulator.set_management_group("top", &[Member::ManagementGroup("Below".to_owned())]);
    client.emulator.set_management_group("below", &[Member::Subscription(other.to_uppercase())]);

    let target = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
    let query = |members: Value| {
        let mut body = json!({"query": QUERY});
        body.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone().into_iter().collect());
        body
    };
    let found = client.send(Method::Post, target, Some(&query(json!({"managementGroups": ["TOP"]})))).await;
    assert_eq!(names(&found.json()), ["there"]);
    for refused in [
        json!({"managementGroups": ["nobody"]}),
        json!({"managementGroups": ["top"], "subscriptions": [SUBSCRIPTION]}),
    ] {
        assert_eq!(client.send(Method::Post, target, Some(&query(refused))).await.status, 400);
    }

    let list = |group: &str, version: &str| {
        format!("/providers/Microsoft.Management/managementGroups/{group}/descendants?api-version={version}")
    };
    let first = client.send(Method::Get, &list("top", "2020-05-01"), None).await.json();
    assert_eq!(first["value"][0]["id"], "/providers/Microsoft.Management/managementGroups/Below");
    let next = first["nextLink"].as_str().unwrap().split_once(".com").unwrap().1;
    let second = client.send(Method::Get, next, None).await.json();
    assert_eq!(second["value"][0]["id"], format!("/subscriptions/{}", other.to_uppercase()));
    assert!(second["value"][0]["properties"]["parent"]["id"].as_str().unwrap().ends_with("/Below"));
    assert!(second["nextLink"].is_null());
    assert_eq!(client.send(Method::Get, &list("nobody", "2020-05-01"), None).await.status, 404);
    assert_eq!(client.send(Method::Get, &list("top", "1999-01-01"), None).await.status, 400);
}
