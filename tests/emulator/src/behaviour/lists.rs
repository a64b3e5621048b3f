//! Lists: pages, order, and the case of ids.

use azure_core::http::Method;
use serde_json::json;

use super::{Client, SUBSCRIPTION, VERSION};
use crate::{
    disk_body,
    estate::{disk_id, snapshot_id},
    options::Options,
};

#[tokio::test(start_paused = true)]
async fn every_resource_is_on_one_page_even_if_others_go_meanwhile() {
    let client = Client::new(Options { page_size: 3, ..Options::immediate() });
    for n in 0..7 {
        client.seed(&format!("disk-{n}"));
    }
    let other = disk_id("22222222-2222-4333-8444-555555555555", "rg-app", "elsewhere");
    client.emulator.insert(&other, &disk_body("westeurope")).unwrap();
    let snapshot = snapshot_id(SUBSCRIPTION, "rg-app", "s");
    client.emulator.insert(&snapshot, &crate::snapshot_body("westeurope", &other)).unwrap();

    let mut next = Some(format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/disks?{VERSION}"));
    let (mut names, mut pages) = (Vec::new(), 0);
    while let Some(target) = next {
        let page = client.get(&target).await.json();
        for item in page["value"].as_array().unwrap() {
            names.push(item["name"].as_str().unwrap().to_owned());
            assert!(item["id"].as_str().unwrap().contains("/resourceGroups/RG-APP/"));
        }
        next = page["nextLink"].as_str().map(str::to_owned);
        assert!(
            next.as_deref()
                .is_none_or(|link| link.starts_with("https://management.azure.com/subscriptions/"))
        );
        pages += 1;
        client.emulator.delete(&disk_id(SUBSCRIPTION, "rg-app", "disk-2"), &super::user());
    }
    assert_eq!(pages, 3);
    assert_eq!(names, ["disk-0", "disk-1", "disk-2", "disk-3", "disk-4", "disk-5", "disk-6"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_is_listed_by_itself() {
    let client = Client::immediate();
    client.seed("d");
    let other = disk_id(SUBSCRIPTION, "rg-app-2", "other");
    client.emulator.insert(&other, &disk_body("westeurope")).unwrap();
    let target =
        format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/RG-app/providers/microsoft.compute/DISKS");
    let page = client.get(&format!("{target}?{VERSION}")).await.json();
    assert_eq!(page["value"].as_array().unwrap().len(), 1);
    assert!(page.get("nextLink").is_none());
    let empty = client.get(&format!("{}?{VERSION}", target.replace("DISKS", "snapshots"))).await.json();
    assert_eq!(empty, json!({"value": []}));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_tenants_and_the_cloud_describe_themselves() {
    let client = Client::immediate();
    client.seed("d");
    let all = client.get("/subscriptions?api-version=2022-12-01").await.json();
    assert_eq!(all["value"][0]["subscriptionId"], SUBSCRIPTION);
    let one = client.get(&format!("/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01")).await.json();
    assert_eq!(one["state"], "Enabled");
    let tenants = client.get("/tenants?api-version=2022-12-01").await.json();
    assert_eq!(tenants["value"][0]["tenantId"], json!(client.emulator.options().tenant_id));
    let cloud = client.get("https://localhost:8443/metadata/endpoints?api-version=2023-12-01").await.json();
    assert_eq!(cloud["resourceManager"], "https://localhost:8443");
}

#[tokio::test(start_paused = true)]
async fn a_function_app_is_found_by_its_tag_and_tells_its_settings_to_a_post_alone() {
    let client = Client::immediate();
    let sites = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Web/sites");
    let (app, version) = (format!("{sites}/func"), "api-version=2024-04-01");
    client.emulator.install(&app, &[("DISKSEAL_MODE", "audit")]);
    client.emulator.put_site(&format!("{sites}/shop"), &[], &[]);
    client.seed("d");
    let settings = format!("{}/config/appsettings/list?{version}", app.to_uppercase());
    let told = client.send(Method::Post, &settings, None).await;
    assert_eq!((told.status, &told.json()["properties"]), (200, &json!({"DISKSEAL_MODE": "audit"})));
    assert_eq!(client.get(&settings).await.status, 405);
    let site = client.get(&format!("{app}?{version}")).await.json();
    assert_eq!(
        (&site["tags"]["application"], &site["kind"]),
        (&json!("diskseal"), &json!("functionapp,linux"))
    );
    assert_eq!(client.get(&format!("{sites}/none?{version}")).await.code(), "ResourceNotFound");
    let list = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Web/sites?{version}");
    assert_eq!(client.get(&list).await.json()["value"].as_array().unwrap().len(), 2);
    let query = "resources | where type =~ 'Microsoft.Web/sites' and tostring(tags['application']) =~ 'diskseal' | project id";
    let graph = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
    let rows = client.send(Method::Post, graph, Some(&json!({"query": query}))).await.json();
    assert_eq!(rows["data"], json!([{"id": app}]));
}
