//! Resource groups, the workspace, and a managed identity without its role.

use azure_core::http::Method;
use serde_json::json;

use super::{ARM, Client, SUBSCRIPTION, VERSION, asynchronous};
use crate::{disk_body, estate::disk_id, queue::Queues, write::Caller};

const WORKSPACE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log";

fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-try?api-version=2021-04-01")
}

#[tokio::test(start_paused = true)]
async fn a_group_is_deleted_with_what_is_in_it_and_takes_nothing_meanwhile() {
    let client = Client::new(asynchronous(|_| {}));
    assert_eq!(client.get(&group()).await.code(), "ResourceGroupNotFound");
    assert_eq!(client.send(Method::Delete, &group(), None).await.code(), "ResourceGroupNotFound");
    assert_eq!(client.send(Method::Put, &group(), Some(&json!({}))).await.code(), "LocationRequired");
    let body = json!({"location": "westeurope", "tags": {"a": "b"}});
    let made = client.send(Method::Put, &group(), Some(&body)).await;
    assert_eq!((made.status, &made.json()["tags"]["a"]), (201, &json!("b")));
    assert_eq!(client.send(Method::Put, &group(), Some(&body)).await.status, 200, "it exists by then");
    let (inside, beside) = (disk_id(SUBSCRIPTION, "RG-Try", "d"), disk_id(SUBSCRIPTION, "rg-try-2", "d"));
    for id in [&inside, &beside] {
        let target = format!("{id}?{VERSION}");
        assert_eq!(client.send(Method::Put, &target, Some(&disk_body("westeurope"))).await.status, 202);
    }
    let accepted = client.send(Method::Delete, &group(), None).await;
    assert_eq!((accepted.status, accepted.header("retry-after")), (202, Some("15")));
    assert!(accepted.header("location").unwrap().starts_with(ARM));
    assert_eq!(client.get(&group()).await.json()["properties"]["provisioningState"], "Deleting");
    let late = client.send(Method::Put, &format!("{inside}?{VERSION}"), Some(&disk_body("westeurope"))).await;
    assert_eq!((late.status, late.code().as_str()), (409, "ResourceGroupBeingDeleted"));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(client.get(&group()).await.status, 404);
    assert!(client.emulator.get(&inside).is_none() && client.emulator.get(&beside).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_workspace_answers_with_columns_and_a_table_without_rows_does_not_exist() {
    let client = Client::immediate();
    client.emulator.put_workspace(WORKSPACE, "a99a99a9-0000-4000-8000-000000000001", |table| {
        let row = json!({"Name": "enforce", "DurationMs": 1.5, "Attributes": {"k": "v"}});
        (table == "OTelSpans").then(|| vec![row.as_object().unwrap().clone()])
    });
    let target = format!("{WORKSPACE}/query?api-version=2017-10-01");
    let query = async |text: &str| client.send(Method::Post, &target, Some(&json!({"query": text}))).await;
    let answer = query("OTelSpans | where Name == 'enforce' | project Attributes, DurationMs").await.json();
    let columns = json!([{"name": "Attributes", "type": "dynamic"}, {"name": "DurationMs", "type": "real"}]);
    assert_eq!(
        (&answer["tables"][0]["columns"], &answer["tables"][0]["rows"]),
        (&columns, &json!([["{\"k\":\"v\"}", 1.5]]))
    );
    for (text, inner) in [("OTelLogs | take 1", "SemanticError"), ("OTelSpans | wher", "SyntaxError")] {
        let refused = query(text).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "BadArgumentError"));
        assert_eq!(refused.json()["error"]["innererror"]["code"], inner);
    }
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/components?api-version=2020-02-02"
    );
    assert_eq!(client.get(&path).await.json()["value"][0]["properties"]["WorkspaceResourceId"], WORKSPACE);
}

#[tokio::test(start_paused = true)]
async fn without_its_role_the_managed_identity_is_refused_and_nobody_else() {
    let client = Client::immediate();
    let target = format!("{}?{VERSION}", client.seed("d"));
    let identity = &client.emulator.options().identity;
    let ours = Caller::app(identity.object_id.clone(), identity.client_id.clone());
    let token = Some(client.emulator.token_for(&ours, "https://management.azure.com/"));
    let handler =
        Client { token, emulator: client.emulator.clone(), transport: client.emulator.http_client() };
    assert_eq!(handler.get(&target).await.status, 200);
    client.emulator.remove_role();
    assert_eq!(handler.get(&target).await.code(), "AuthorizationFailed");
    assert_eq!(client.get(&target).await.status, 200);
    let assignments = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    );
    assert_eq!(client.get(&assignments).await.json()["value"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn queues_that_exist_in_the_account_are_served() {
    let client = Client::immediate();
    let queues = Queues::new(1.0);
    client.emulator.serve_queues(&queues);
    let read = async || {
        let url = azure_core::http::Url::parse(&format!("{ARM}/diskseal-pending?comp=metadata")).unwrap();
        let mut request = azure_core::http::Request::new(url, Method::Get);
        request.insert_header("authorization", format!("Bearer {}", client.token.as_deref().unwrap()));
        request.insert_header("x-ms-version", "2021-12-02");
        let (status, headers, _) = client.transport.execute_request(&request).await.unwrap().deconstruct();
        let count = headers.iter().find(|(name, _)| name.as_str() == "x-ms-approximate-messages-count");
        (u16::from(status), count.map(|(_, value)| value.as_str().to_owned()))
    };
    assert_eq!(read().await.0, 404);
    queues.queue("diskseal-pending").put("a").unwrap();
    assert_eq!(read().await, (200, Some("1".to_owned())));
}
