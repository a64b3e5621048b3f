//! Sends only the three requests of a seal: the upper limit of the machine and its ARM.

use reqwest::{Client, Method};
use serde_json::json;

/// Reads, seals and tags one resource, without reading the responses.
pub(crate) async fn write(client: &Client, arm: &str, id: &str) {
    let mode = json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}});
    let tags = json!({"operation": "Merge", "properties": {"tags": {
        "diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z",
    }}});
    let disk = format!("{arm}{id}?api-version=2024-03-02");
    let tags_url = format!("{arm}{id}/providers/Microsoft.Resources/tags/default?api-version=2024-07-01");
    for (method, url, body) in [
        (Method::GET, &disk, None),
        (Method::PATCH, &disk, Some(mode)),
        (Method::PATCH, &tags_url, Some(tags)),
    ] {
        let mut request = client.request(method, url).header("authorization", "Bearer bench");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.bytes().await.unwrap();
    }
}
